from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

from segue.cli import app
from segue.corpus import rejected
from segue.errors import CorpusError, LakeError
from segue.settings import get_settings


@pytest.fixture
def lake(tmp_path):
    """A lake with four rejected files of three days, of which one has a name for the terminal."""
    rows = {
        "path": ["Björk/b.mp3", "a.mp3", "c[red].flac", "d.ogg"],
        "partition_date": [date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 3), date(2026, 1, 3)],
        "reason": ["EMPTY", "SILENT", "EMPTY", "OF_A_NEWER_SEGUE"],
        "message": ["It has no bytes.", "All samples are 0.", "It has no bytes.", "New."],
        "size_bytes": [0, 10, 0, 7],
        "content_hash": ["", "x", "", "y"],
    }
    write_deltalake(f"{tmp_path}/rejects", pa.table(rows))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["a.mp3", "Björk/b.mp3", "c[red].flac", "d.ogg"]),
        ({"reason": "empty"}, ["Björk/b.mp3", "c[red].flac"]),
        ({"first": date(2026, 1, 2)}, ["Björk/b.mp3", "c[red].flac", "d.ogg"]),
        ({"first": date(2026, 1, 2), "last": date(2026, 1, 2)}, ["Björk/b.mp3"]),
        ({"last": date(2026, 1, 1), "late": [date(2026, 1, 3)]}, ["a.mp3", "c[red].flac", "d.ogg"]),
        ({"reason": "SILENT", "first": date(2026, 1, 2)}, []),
    ],
)
def test_files_are_found_by_reason_and_day(lake, asked, found):
    assert [file.path for file in rejected.find(lake, **asked)] == found


def test_each_file_says_what_to_do_and_an_unknown_reason_is_kept(lake):
    files = rejected.find(lake)
    assert [file.remedy for file in files[1:]] == ["Fetch it again.", "Fetch it again.", ""]
    assert files[1].document() == {
        "path": "Björk/b.mp3",
        "day": "2026-01-02",
        "reason": "EMPTY",
        "message": "It has no bytes.",
        "size_bytes": 0,
        "remedy": "Fetch it again.",
    }
    assert rejected.by_reason(files) == {"EMPTY": 2, "SILENT": 1, "OF_A_NEWER_SEGUE": 1}


def test_a_mistyped_reason_is_refused_with_the_codes(lake):
    with pytest.raises(CorpusError, match=r"'EMTPY' is no reason code\. The codes are .*EMPTY"):
        rejected.find(lake, reason="EMTPY")


def test_a_new_lake_has_none_and_a_damaged_one_says_so(tmp_path):
    assert rejected.find(str(tmp_path)) == []
    log = tmp_path / "rejects" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("{")
    with pytest.raises(LakeError, match="rejects cannot be read"):
        rejected.find(str(tmp_path))


def test_the_command_prints_whole_paths_and_remedies(lake, monkeypatch):
    monkeypatch.setenv("SEGUE_LAKE", lake)
    monkeypatch.setenv("COLUMNS", "40")
    get_settings.cache_clear()
    try:
        listed = CliRunner().invoke(app, ["rejects", "--day", "2026-01-03"])
        none = CliRunner().invoke(app, ["rejects", "--reason", "TOO_LONG"])
        as_json = CliRunner().invoke(app, ["rejects", "--reason", "SILENT", "--json"])
    finally:
        get_settings.cache_clear()
    assert "2026-01-03  EMPTY              c[red].flac" in listed.output.splitlines()
    assert "a.mp3" not in listed.output
    assert none.output == "No such file was rejected.\n"
    assert '"path": "a.mp3"' in as_json.output
