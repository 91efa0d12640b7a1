from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from segue.listens import archives
from segue.listens.archives import ArchiveError, check_sizes


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A zip file of a few kB that unpacks to two MiB."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("listens/2024/1.jsonl", " " * 2**21)
        made.writestr("pictures.bin", "x" * 2**23)
    return path


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ["listens/2024/1.jsonl"]
    with zipfile.ZipFile(archive) as opened:
        monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2**21)
        check_sizes(archive, opened, wanted)
        monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2**20)
        with pytest.raises(ArchiveError, match=r"export\.zip contains listens/2024/1\.jsonl of 2 MiB"):
            check_sizes(archive, opened, wanted)


def test_a_file_that_is_larger_than_stated_is_not_read_whole(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        stated = opened.getinfo("listens/2024/1.jsonl")
        stated.file_size = 1_000
        with opened.open(stated) as member, pytest.raises(zipfile.BadZipFile):
            member.read()
