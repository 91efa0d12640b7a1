"""A time of day that a benchmark sets, for itself and for all processes that it starts (see shifted_clock.c)."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
VARIABLE = "SHIFTED_CLOCK"


def restart_with_it() -> None:
    """Replace this process by one whose clock can be set, unless it is one. This needs Linux and a C compiler."""
    if VARIABLE in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="segue-clock-"))
    library, offset = folder / "clock.so", folder / "offset"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    offset.write_bytes(struct.pack("=q", 0))
    shifted = {"LD_PRELOAD": str(library), VARIABLE: str(offset)}
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | shifted)  # noqa: S606 # no shell is needed


def set_to(moment: datetime) -> None:
    """Set the time of day of all processes."""
    with Path(os.environ[VARIABLE]).open("r+b") as file:
        [offset_s] = struct.unpack("=q", file.read())
        file.seek(0)
        file.write(struct.pack("=q", offset_s + round(moment.timestamp() - time.time())))
