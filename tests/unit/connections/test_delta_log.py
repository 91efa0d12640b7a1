from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from segue.connections import delta_log
from segue.errors import LakeError

LINE = b'{"add":{"path":"part-0.parquet","size":7}}\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a table with three commits of twenty lines each, and their checksums."""
    log = tmp_path / "lake" / "listens" / "_delta_log"
    log.mkdir(parents=True)
    for number in range(3):
        write(log / f"{number:020}.json", LINE * 20)
    return log


def write(commit: Path, content: bytes) -> None:
    """Write a file and, beside it, the checksums of its blocks of 512 bytes, as Hadoop does."""
    commit.write_bytes(content)
    sums = [zlib.crc32(content[start : start + 512]) for start in range(0, len(content), 512)]
    noted = b"crc\0" + struct.pack(">i", 512) + struct.pack(f">{len(sums)}I", *sums)
    commit.with_name(f".{commit.name}.crc").write_bytes(noted)


def check(log: Path) -> None:
    delta_log.check(str(log.parent.parent))


@pytest.mark.parametrize("size", [0, 1, 100, len(LINE), 19 * len(LINE), 20 * len(LINE) - 1])
def test_a_cut_commit_gives_one_sentence_with_a_remedy_that_works(log: Path, size: int) -> None:
    check(log)
    newest = log / f"{2:020}.json"
    newest.write_bytes(newest.read_bytes()[:size])
    with pytest.raises(LakeError, match=r"listens is damaged: 0{19}2\.json was cut.*mv .*DAG `listens` again"):
        check(log)
    for file in [*log.glob(f"{2:020}*"), *log.glob(f".{2:020}*")]:  # what the shell makes of {,.}…*
        file.unlink()
    check(log)


def test_a_commit_in_the_middle_must_not_be_moved_away(log: Path) -> None:
    (log / f"{1:020}.json").write_bytes(b"")
    with pytest.raises(LakeError, match="later commits build on it"):
        check(log)


def test_commits_before_a_checkpoint_are_not_read(log: Path) -> None:
    (log / f"{0:020}.json").write_bytes(b"")
    (log / f"{1:020}.checkpoint.parquet").write_bytes(b"PAR1")
    check(log)


def test_a_flipped_bit_is_found(log: Path) -> None:
    write(log / f"{2:020}.json", LINE * 20)
    changed = (LINE * 20).replace(b"part-0", b"part-1", 1)
    (log / f"{2:020}.json").write_bytes(changed)
    with pytest.raises(LakeError):
        check(log)


def test_logs_without_checksums_and_lakes_elsewhere_are_accepted(log: Path, tmp_path: Path) -> None:
    for sums in log.glob(".*"):
        sums.unlink()
    check(log)
    delta_log.check(str(tmp_path / "nothing yet"))
    delta_log.check("s3a://bucket/lake")
