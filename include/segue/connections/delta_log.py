"""Find damaged commits of Delta tables, before Spark reads them.

A full disk or a power failure may cut a commit short. Spark then reports only a Java stack trace. Delta writes a
commit as lines of JSON. Beside each local file, Hadoop writes a file with the checksums of its blocks.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from segue.errors import LakeError

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")
_HEADER = b"crc\0"


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
    for log in [] if "://" in lake else sorted(Path(lake).glob("*/_delta_log")):
        commits = list(_commits(log))
        for commit in commits:
            if not _is_whole(commit):
                raise LakeError(_sentence(commit, newest=commit == commits[-1]))


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
    return bool(actions) and content.endswith(b"\n") and _has_its_checksums(commit, content)


def _has_its_checksums(file: Path, content: bytes) -> bool:
    """Return whether a file matches the checksums that Hadoop wrote for it. True if Hadoop wrote none."""
    beside = file.with_name(f".{file.name}.crc")
    noted = beside.read_bytes() if beside.exists() else b""
    if not noted.startswith(_HEADER):
        return True
    [size] = struct.unpack_from(">i", noted, len(_HEADER))
    blocks = (content[start : start + size] for start in range(0, len(content), size))
    return noted[len(_HEADER) + 4 :] == b"".join(struct.pack(">I", zlib.crc32(block)) for block in blocks)


def _sentence(commit: Path, *, newest: bool) -> str:
    table, number = commit.parent.parent, commit.stem
    dag = "listens" if table.name == "listens" else "corpus"
    if newest:
        return (
            f"The newest commit of the table {table} is damaged: {commit.name} was cut short. Move the files of "
            f"this commit away (mkdir DAMAGED; mv {commit.parent}/{{,.}}{number}* DAMAGED), and run the DAG "
            f"`{dag}` again: it writes the rows of this commit again."
        )
    return (
        f"A commit of the table {table} is damaged: {commit} was cut short, and later commits build on it. "
        f"Restore it from a backup. Without one, move {table} away and let the DAG `{dag}` write the table "
        "again: its page in Airflow says how."
    )
