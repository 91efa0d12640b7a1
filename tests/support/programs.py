"""Where the players are."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from segue.settings import PROJECT_DIR

CLIENTS = PROJECT_DIR / ".clients"

SECONDS = 31
"""Length of the track: players submit none below 30 seconds."""

Start = Callable[..., subprocess.Popen[bytes]]


def program(name: str) -> str:
    """Find a program in `.clients` or on the path; skip the test without it."""
    found = shutil.which(name, path=f"{CLIENTS / 'bin'}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: `make test-clients` installs it where it can")
    return found
