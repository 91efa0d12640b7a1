"""What scripts/bootstrap.sh says on a machine that lacks something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from segue.settings import PROJECT_DIR


def on_arm(folder: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    """Run the script with some programs only, on what it takes for Linux on an ARM processor without Java."""
    folder.mkdir()
    for name in ("bash", "dirname", "sed", *programs):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    python = f'exec {sys.base_prefix}/bin/python3 "$@"'
    uname = '[ "$1" = -m ] && echo aarch64 || echo Linux'
    for name, line in {"python3": python, "uname": uname, "java": "exit 1"}.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        [PROJECT_DIR / "scripts" / "bootstrap.sh"],
        env={"PATH": str(folder), "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_linux_on_arm_needs_a_compiler_and_says_how_to_get_it(tmp_path: Path) -> None:
    refused = on_arm(tmp_path / "without")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        "Segue needs a C++ compiler and Python's headers on aarch64. "
        "Install it with: sudo apt-get install g++ python3-dev"
    ]
    assert "Segue needs Java 17 or newer" in on_arm(tmp_path / "with", "c++").stderr
