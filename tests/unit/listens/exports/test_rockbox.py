from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from segue.listens.exports.lines import ImportFileError, Line
from segue.listens.exports.rockbox import rockbox
from segue.listens.plays import Play

MBID = "98255a8c-017a-4bc7-8dd6-1fa36124572b"


def log(path: Path, *lines: str, zone: str = "UTC", version: str = "1.1") -> Path:
    header = [f"#AUDIOSCROBBLER/{version}", f"#TZ/{zone}", "#CLIENT/Rockbox ipodvideo $Revision$"]
    path.write_text("\n".join([*header, *lines]) + "\n")
    return path


def test_plays_of_both_versions(tmp_path: Path) -> None:
    play = f"Björk\tHomogenic\tJóga\t2\t305\tL\t1700000000\t{MBID}"
    expected = {"duration": 305, "tracknumber": "2"}
    [found] = rockbox(log(tmp_path / "a", play))
    assert found == Line(1, Play(1_700_000_000, "Björk", "Jóga", "Homogenic", {**expected, "track_mbid": MBID}))
    [found] = rockbox(log(tmp_path / "b", play.rpartition("\t")[0], version="1.0"))
    assert found == Line(1, Play(1_700_000_000, "Björk", "Jóga", "Homogenic", expected))


def test_what_is_no_play_is_named(tmp_path: Path) -> None:
    lines = [
        "Björk\tHomogenic\tHunter\t1\t255\tS\t1700000300\t",
        "Björk\t\tHunter\t\t\tL\t1700000600\tnot-an-id",
        "Björk\tHomogenic\tHunter",
        "Björk\tHomogenic\tHunter\t1\t255\tL\t0\t",
        "\tHomogenic\tHunter\t1\t255\tL\t1700000900\t",
        "Björk\tHomogenic\tHunter\t1\t255\tL\tyesterday\t",
        "# FAILED a line that the player could not keep",
        "",
        "Björk\tHomogenic\tHunter\t1\t255\tL\t" + "9" * 30 + "\t",
    ]
    found = list(rockbox(log(tmp_path / "log", *lines)))
    assert [line.number for line in found] == [1, 2, 3, 4, 5, 6, 7]
    assert found[1].play == Play(1_700_000_600, "Björk", "Hunter", None, {})
    wrong = [line.wrong or "" for line in found]
    for said, expected in zip(
        wrong, ("skipped", "", "3 fields", "2002", "no artist", "yesterday", "999"), strict=True
    ):
        assert expected in said


def test_a_clock_of_a_zone_is_read_in_that_zone_and_utc_is_utc(tmp_path: Path) -> None:
    summer, winter = 1_688_212_800, 1_672_574_400  # noon by the player's clock, 2023-07-01 and 2023-01-01
    lines = [f"Björk\t\tJóga\t\t305\tL\t{at}\t" for at in (summer, winter)]
    berlin = ZoneInfo("Europe/Berlin")
    times = [
        line.play.listened_at for line in rockbox(log(tmp_path / "a", *lines, zone="UNKNOWN"), berlin) if line.play
    ]
    assert times == [summer - 7_200, winter - 3_600]
    times = [line.play.listened_at for line in rockbox(log(tmp_path / "b", *lines), berlin) if line.play]
    assert times == [summer, winter]


def test_names_that_are_not_utf_8_are_named(tmp_path: Path) -> None:
    path = log(tmp_path / "log")
    path.write_bytes(path.read_bytes() + "Björk\t\tJóga\t\t305\tL\t1700000000\t\n".encode("latin-1"))
    [found] = rockbox(path)
    assert (found.play, found.wrong) == (None, "a name that is not UTF-8")


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("artist,track\n")
    with pytest.raises(
        ImportFileError, match=r"x\.csv is not a \.scrobbler\.log: it does not begin with #AUDIOSCROBBLER"
    ):
        list(rockbox(tmp_path / "x.csv"))
