"""The Delta tables of the lake, each at its newest version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from segue.errors import BackupError

LOG: Final = "_delta_log"


def copy(lake: Path, folder: Path) -> dict[str, int]:
    """Copy the newest version of each table. Jobs may write to them meanwhile.

    The log is copied first. The files that it names stay for the days for which VACUUM keeps old versions.

    Parameters
    ----------
    lake, folder : Path
        The second one must not exist.

    Returns
    -------
    dict of str to int
        The copied version of each table.

    Raises
    ------
    BackupError
        If a table is damaged.
    """
    versions = {}
    for log in sorted(lake.glob(f"*/{LOG}")):
        table, target = log.parent, folder / log.parent.name
        shutil.copytree(log, target / LOG, ignore=shutil.ignore_patterns("*.tmp", ".*"))
        try:
            copied = DeltaTable(target)
            versions[table.name] = copied.version()
            paths = copied.get_add_actions().column("path").to_pylist()
        except DeltaError as error:
            raise BackupError(f"The table {table} cannot be read: {error}. Nothing was backed up.") from error
        for path in paths:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(table / path, target / path)
    return versions
