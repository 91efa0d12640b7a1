"""Where a campaign takes place: namespaces of its own, a disk of bounded size, and a clock that can be set.

Nothing outside notices the faults. Network and mounts need root, or a system that lets users make namespaces. The
clock needs a C compiler. What is missing is named, and the faults that need it are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import shifted_clock
from tenacity import retry, retry_if_exception_type, stop_after_attempt

VARIABLE = "CHAOS_NAMESPACES"
DISK_MB = 900
"""Size of the disk. It is memory, as far as it is used."""

NEEDS = {
    "network down": "namespaces",
    "cut connections": "namespaces",
    "disk full": "namespaces",
    "clock step": "clock",
}


def enter() -> None:
    """Replace this process by one in its own namespaces, whose clock can be set, as far as the machine allows."""
    if VARIABLE not in os.environ:
        alone = ["unshare", "--net", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
        trial = "ip link set lo up && mount -t tmpfs tmpfs /mnt && mount -o remount,size=9m tmpfs /mnt && ss -K"
        possible = (
            shutil.which("unshare")
            and not subprocess.run([*alone, "sh", "-c", trial], capture_output=True, check=False).returncode
        )
        os.environ[VARIABLE] = "1" if possible else ""
        if possible:
            os.execvp("unshare", [*alone, sys.executable, *sys.argv])  # noqa: S606 - no shell
    if os.environ[VARIABLE]:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if shutil.which("cc"):
        shifted_clock.restart_with_it()


def skipped() -> dict[str, str]:
    """Return why kinds of faults cannot be injected here, by kind."""
    reasons = {}
    if not os.environ[VARIABLE]:
        reasons["namespaces"] = "needs root, or the right to make namespaces, and the programs ip and ss"
    if shifted_clock.VARIABLE not in os.environ:
        reasons["clock"] = "needs a C compiler"
    return {kind: reasons[need] for kind, need in NEEDS.items() if need in reasons}


class Disk:
    """The file system that holds the stack. Its size is bounded if this process may mount one.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def with_free(self, free_bytes: int) -> Iterator[None]:
        """Leave so many bytes free while the block runs. No memory is used for it: the file system shrinks."""
        self._shrink(free_bytes)
        try:
            yield
        finally:
            self._resize(DISK_MB * 10**6)

    @retry(retry=retry_if_exception_type(subprocess.CalledProcessError), stop=stop_after_attempt(20), reraise=True)
    def _shrink(self, free_bytes: int) -> None:
        """Shrink the file system. The kernel refuses if somebody has written more meanwhile."""
        self._resize(shutil.disk_usage(self.folder).used + free_bytes)

    def _resize(self, size_bytes: int) -> None:
        # With only the folder, mount would repeat options that a user namespace refuses.
        command = ["mount", "-o", f"remount,size={size_bytes}", "tmpfs", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def disk() -> Iterator[Disk]:
    """Make a folder for the stack. Remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="segue-chaos-"))
    bounded = bool(os.environ[VARIABLE])
    if bounded:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        if bounded:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)
