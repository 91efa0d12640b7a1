"""Digests of installed code. With them, `segue up` detects services that still run code from before an upgrade."""

from __future__ import annotations

import hashlib
import sysconfig
from functools import cache
from pathlib import Path

import segue
from segue.settings import PROJECT_DIR


@cache
def installed() -> str:
    """Compute a digest of Segue's own files, and of the names and versions of all installed packages.

    It is computed once per process, because it describes the code that this process has loaded too.
    """
    packages = {path.name for kind in ("purelib", "platlib") for path in _packages(kind)}
    return digest_of([Path(segue.__file__).parent, PROJECT_DIR / "plugins"], "\n".join(sorted(packages)))


def digest_of(folders: list[Path], *texts: str) -> str:
    """Compute a digest of all files in some folders, except compiled ones, and of some texts."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(folder)}\n".encode())
                digest.update(file.read_bytes())
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()


def program(path: Path) -> str:
    """Return size and time of a program's file. Two versions of a program differ in at least one of them."""
    stat = path.resolve().stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _packages(kind: str) -> list[Path]:
    return list(Path(sysconfig.get_path(kind)).glob("*.dist-info"))
