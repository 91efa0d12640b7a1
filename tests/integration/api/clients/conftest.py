"""Players that are programs of their own: `make test-clients` installs them, and runs these tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import mutagen.flac
import numpy as np
import pytest
import soundfile
from tests.support.programs import SECONDS, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a program, with a home of its own, until the test ends."""
    with ExitStack() as stack:

        def run(*command: str | Path, **environment: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((tmp_path / f"{Path(command[0]).name}.log").open("wb"))
            home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **home, **environment},
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            return process

        yield run


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with one track of 31 seconds."""
    folder = tmp_path / "music"
    folder.mkdir()
    path = folder / "track.flac"
    soundfile.write(path, np.zeros(SECONDS * 8_000), 8_000)
    tags = mutagen.flac.FLAC(path)
    tags["artist"], tags["title"], tags["album"] = "Rick Astley", "Never Gonna Give You Up", "Whenever"
    tags.save()
    return folder
