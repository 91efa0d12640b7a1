"""Check what Segue needs of the machine: Java, memory, packages, disk, ports, rights and clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

import psutil
from packaging.requirements import Requirement

from segue import disk
from segue.errors import PrerequisiteError
from segue.settings import Settings
from segue.stack import ports, prerequisites, processes
from segue.stack.finding import Finding

LEAST_MEMORY_BYTES: Final = 4 * 10**9
CLOCK_TOLERANCE_S: Final = 60.0


def examine(settings: Settings) -> Iterator[Finding]:
    """Look for what keeps Segue from working on this machine.

    Parameters
    ----------
    settings : Settings
        They choose the corpus and the ports.

    Yields
    ------
    Finding
        Only the user can repair these.
    """
    sentences = (_java(), memory(), *_packages(), disk.fullness_of_stack(settings.state_dir), *_ports(settings))
    yield from map(Finding, filter(None, (*sentences, _rights(settings), _clock(settings))))


def _java() -> str | None:
    try:
        prerequisites.check_java()
    except PrerequisiteError as error:
        return str(error)
    return None


def memory() -> str | None:
    """Return a sentence if this machine has too little memory, else None."""
    total = psutil.virtual_memory().total
    if total >= LEAST_MEMORY_BYTES:
        return None
    return (
        f"This machine has {total / 1e9:.1f} GB of memory. The whole stack needs {LEAST_MEMORY_BYTES / 1e9:.0f} "
        "GB, even for a small corpus. `segue extract` and `segue train` need no stack."
    )


def _packages() -> Iterator[str]:
    """Compare the installed packages with those that this version of Segue names."""
    for requirement in map(Requirement, requires("segue") or ()):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield f"The package {requirement} is not installed. `make setup` installs it."
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement.name} {installed} is installed, but Segue needs {requirement}. Run `make setup`."


def _ports(settings: Settings) -> Iterator[str]:
    """Check the ports, unless a stack of this home has them."""
    if processes.state_dirs(settings.home):
        return
    for name in ports.settings_of():
        port = getattr(settings, name)
        if why := ports.fault(port):
            variable = f"SEGUE_{name.upper()}"
            yield (
                f"Port {port} ({variable}) cannot be used ({why}). Stop what listens there, or choose another "
                f"port: {variable}=PORT."
            )


def _rights(settings: Settings) -> str | None:
    """Check that this user may write where Segue writes. Other users are kept out by `segue up`."""
    folder = next(path for path in (settings.state_dir, *settings.state_dir.parents) if path.exists())
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    return (
        f"You cannot write to {folder}. Give it to the user who runs Segue, with `sudo chown --recursive USER "
        "FOLDER`, or choose another folder with SEGUE_HOME."
    )


def _clock(settings: Settings) -> str | None:
    """Compare the clock with the times at which the services last wrote to their logs."""
    now = time.time()
    written = [(path.stat().st_mtime, path) for path in (settings.state_dir / "logs").glob("*.log")]
    latest, path = max(written, default=(now, None))
    if latest < now + CLOCK_TOLERANCE_S:
        return None
    at, then = (f"{datetime.fromtimestamp(stamp, UTC):%Y-%m-%d %H:%M}" for stamp in (now, latest))
    return (
        f"The clock says {at} UTC, but {path} was written at {then}. Set the clock, for example with "
        "`timedatectl set-ntp true`. Until then new listens count as older than they are."
    )
