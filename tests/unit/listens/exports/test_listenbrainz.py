from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from segue.listens.exports.lines import ImportFileError, Line
from segue.listens.exports.listenbrainz import listenbrainz
from segue.listens.plays import Play

MBID = "98255a8c-017a-4bc7-8dd6-1fa36124572b"
REPORTED = Path(__file__).parent / "reported"


def exported(listened_at: float, track: str, **metadata: object) -> str:
    names = {"artist_name": "Björk", "track_name": track, "recording_msid": "m", "mbid_mapping": None}
    return json.dumps({"listened_at": listened_at, "inserted_at": 1.0, "track_metadata": names | metadata})


def test_listenbrainz_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    info = {"media_player": "x", "isrc": None}
    lines = [
        exported(1_700_000_000.0, "Jóga", release_name="Homogenic", additional_info=info),
        "",
        exported(1_700_000_300, "Hunter", mbid_mapping={"recording_mbid": MBID}),
        "no json",
        exported(5, "Too early"),
        exported(1_700_000_600, "  "),
        "[]",
    ]
    path.write_text("\n".join(lines))
    found = list(listenbrainz(path))
    assert found[0] == Line(1, Play(1_700_000_000, "Björk", "Jóga", "Homogenic", {"media_player": "x"}))
    assert found[1] == Line(2, Play(1_700_000_300, "Björk", "Hunter", None, {"recording_mbid": MBID}))
    assert [line.play for line in found[2:]] == [None] * 4
    assert all(line.wrong for line in found[2:])


def test_a_time_beyond_all_numbers_costs_one_line(tmp_path: Path) -> None:
    line = '{"listened_at": 1e999, "track_metadata": {"artist_name": "a", "track_name": "b"}}'
    (tmp_path / "x.jsonl").write_text(line + "\n" + line.replace("1e999", "1700000000"))
    wrong, good = listenbrainz(tmp_path / "x.jsonl")
    assert (wrong.play, good.wrong) == (None, None)
    assert wrong.wrong


def test_listenbrainz_zip_is_read_whole_and_other_archives_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("listens/2023/1.jsonl", exported(1_700_000_000, "a") + "\n")
        archive.writestr("listens/2024/1.jsonl", exported(1_710_000_000, "b") + "\n")
        archive.writestr("feedback.jsonl", "{}")
    assert [(line.number, line.play and line.play.track_name) for line in listenbrainz(path)] == [
        (1, "a"),
        (2, "b"),
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", "")
    with pytest.raises(ImportFileError, match=r"contains no listens/….jsonl"):
        list(listenbrainz(path))


def test_the_array_of_older_exports(tmp_path: Path) -> None:
    plays = [line.play for line in listenbrainz(REPORTED / "lb.json")]
    assert [(play.listened_at, play.track_name) for play in plays if play] == [(1_700_000_000, "T")] * 2
    damaged = tmp_path / "cut.json"
    good = exported(1_700_000_000, "a")
    numbers = good.replace("1700000000", "1e999"), good.replace("1700000000", "9" * 5_000)
    damaged.write_text(f"[{good},\n{numbers[0]},{numbers[1]}, 7, {good}, {good[:40]}")
    found = [line.play and line.play.track_name for line in listenbrainz(damaged)]
    assert found == ["a", None, None, None, "a", None]


def test_a_byte_order_mark_costs_no_line(tmp_path: Path) -> None:
    assert [line.wrong for line in listenbrainz(REPORTED / "bom.jsonl")] == [None, None]
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("listens/2023/1.jsonl", (REPORTED / "bom.jsonl").read_bytes())
    assert [line.wrong for line in listenbrainz(path)] == [None, None]


def test_an_mbid_that_is_a_list_costs_one_line() -> None:
    wrong = [line.wrong for line in listenbrainz(REPORTED / "mbid_list.jsonl")]
    assert wrong == [None, "a recording_mbid that is not a text", None]


def test_a_line_that_is_not_utf_8_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "history"
    in_latin_1 = json.dumps(json.loads(exported(1_700_000_000, "a")), ensure_ascii=False).encode("latin-1")
    path.write_bytes(in_latin_1 + b"\n" + exported(1_700_000_000, "a").encode())
    assert [line.wrong for line in listenbrainz(path)] == ["a line that is not UTF-8", None]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("listens/2023/1.jsonl", in_latin_1)
    assert [line.wrong for line in listenbrainz(path)] == ["a line that is not UTF-8"]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_zip_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("listens/2023/1.jsonl", "\n".join(exported(1_700_000_000 + n, "a") for n in range(500)))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ImportFileError, match="is a damaged or encrypted zip file"):
        list(listenbrainz(path))
