"""Find damaged commits of Delta tables, before Spark reads them.

A full disk or a power failure may cut a commit short. Spark then reports only a Java stack trace. Delta writes a
commit as lines of JSON. Beside each local file, Hadoop writes a file with the checksums of its blocks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segue.connections import hadoop_checksums
from segue.errors import LakeError

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")


@dataclass(frozen=True)
class DamagedCommit:
    """A commit that was cut short.

    Parameters
    ----------
    file
        ``NUMBER.json`` in the log of its table.
    is_newest
        Whether no commit builds on it.
    """

    file: Path
    is_newest: bool

    @property
    def files(self) -> list[Path]:
        """The file of the commit, and those with its checksums."""
        folder, number = self.file.parent, self.file.stem
        return sorted([*folder.glob(f"{number}*"), *folder.glob(f".{number}*")])

    @property
    def dag(self) -> str:
        """The DAG that writes the table."""
        return "listens" if self.file.parent.parent.name == "listens" else "corpus"

    def __str__(self) -> str:
        """Say what happened and what to do."""
        table = self.file.parent.parent
        if self.is_newest:
            return (
                f"The newest commit of the table {table} is damaged: {self.file.name} was cut short. Run "
                "`segue down`, `segue doctor --repair`, which moves its files away, and `segue up`. "
                f"Then run the DAG `{self.dag}`, which writes the rows of this commit again."
            )
        return (
            f"A commit of the table {table} is damaged: {self.file} was cut short, and later commits build on it. "
            f"Restore it from a backup. Without one, move {table} away and let the DAG `{self.dag}` write the "
            "table again: its page in Airflow says how."
        )


def check(lake: str) -> None:
    """Check the commits that Spark would read.

    Parameters
    ----------
    lake : str
        Folder of the tables. An object store is not checked, because it never stores a part of an object.

    Raises
    ------
    LakeError
        If a commit is damaged.
    """
    for commit in damaged(lake):
        raise LakeError(str(commit))


def damaged(lake: str) -> Iterator[DamagedCommit]:
    """Yield the newest damaged commit of each table that has one.

    Parameters
    ----------
    lake : str
        As for `check`.
    """
    for log in [] if "://" in lake else sorted(Path(lake).glob("*/_delta_log")):
        commits = list(_commits(log))
        for commit in reversed(commits):
            if not _is_whole(commit):
                yield DamagedCommit(commit, commit == commits[-1])
                break


def _commits(log: Path) -> Iterator[Path]:
    """Yield the commits after the last checkpoint, oldest first."""
    names = sorted(each.name for each in log.iterdir())
    checkpoints = (int(found[1]) for name in names if (found := _CHECKPOINT.fullmatch(name)))
    last = max(checkpoints, default=-1)
    for name in names:
        found = _COMMIT.fullmatch(name)
        if found and int(found[1]) > last:
            yield log / name


def _is_whole(commit: Path) -> bool:
    content = commit.read_bytes()
    try:
        actions = [json.loads(line) for line in content.splitlines()]
    except ValueError:
        return False
    return bool(actions) and content.endswith(b"\n") and hadoop_checksums.match(commit)
