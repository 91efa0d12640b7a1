"""An album in one file with a CUE sheet beside it becomes its tracks, and they keep their ids."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.audio_files import music, write_soundfile

from segue.corpus import extraction, inventory
from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
from segue.corpus.metadata import settle
from segue.corpus.plan import Mode
from segue.settings import Settings

pytestmark = pytest.mark.integration

SEEN_ON = date(2026, 3, 10)
NO_METADATA = settle(pd.DataFrame(columns=["track_id", "file"]), SEEN_ON)
SHEET = """PERFORMER "The Band"
TITLE "Live"
FILE "Album.wav" WAVE
TRACK 01 AUDIO
TITLE "One"
INDEX 01 00:00:00
TRACK 02 AUDIO
TITLE "Two"
INDEX 01 00:02:00
TRACK 03 AUDIO
TITLE "Three"
INDEX 01 00:03:30
"""


def test_an_album_is_divided_and_its_tracks_stay_themselves(spark: Any, tmp_path: Path) -> None:
    lake, root = Lake(spark, str(tmp_path / "lake")), tmp_path / "music"
    (root / "A").mkdir(parents=True)
    write_soundfile(root / "A/Album.flac", music(6.0))
    sheet = root / "A/Album.cue"

    def run() -> tuple[Any, int]:
        found = inventory.update(lake, list_audio(root), NO_METADATA, SEEN_ON, Settings())
        return found, extraction.run(lake, root, Days(), Mode.SKIP).work.extracted

    def features() -> dict[str, Any]:
        return {row["path"]: row.asDict() for row in lake.read("features").collect()}

    sheet.write_text(SHEET.replace("00:03:30", "09:00:00"))
    found, decoded = run()
    assert found.sheets.warning == (
        "1 CUE sheets are not used, so their files are one track each "
        "(A/Album.cue: its last track begins at 9:00, but A/Album.flac ends at 0:06)."
    )
    [whole] = features().values()
    assert (whole["path"], decoded) == ("A/Album.flac", 1)

    sheet.write_text(SHEET)
    found, decoded = run()
    assert (found.sheets.files, found.sheets.tracks, found.sheets.warning) == (1, 3, "")
    assert (found.files, found.new, found.gone, decoded) == (3, 3, 1, 3)
    before = features()
    described = [(row["tag_title"], row["tag_artist"], row["duration_s"]) for _, row in sorted(before.items())]
    assert described == [("One", "The Band", 2.0), ("Two", "The Band", 1.4), ("Three", "The Band", 2.6)]
    assert len({row[name] for row in before.values() for name in ("content_hash", "audio_hash")}) == 6

    sheet.write_text(SHEET.replace("Two", "Zwei"))
    (root / "A").rename(root / "B")
    (root / "B/Album.flac").rename(root / "B/Other.flac")
    sheet = root / "B/Album.cue"
    sheet.write_text(sheet.read_text().replace("Album.wav", "Other.flac"))
    found, decoded = run()
    assert (found.moved, found.new, found.gone, found.hashed, decoded) == (3, 0, 0, 3, 0)
    after = features()
    for number in (1, 2, 3):
        then, now = before[f"A/Album.flac#{number}"], after[f"B/Other.flac#{number}"]
        assert (then["track_id"], then["features"]) == (now["track_id"], now["features"])
    assert after["B/Other.flac#1"]["tag_title"] == "One"

    sheet.write_text(sheet.read_text().replace("Zwei", "Two (live)"))
    found, decoded = run()
    assert (found.changed, found.new, found.gone, decoded) == (3, 0, 0, 0)
    assert features()["B/Other.flac#2"]["tag_title"] == "Two (live)"

    sheet.unlink()
    found, decoded = run()
    assert (found.files, found.new, found.moved, decoded) == (1, 0, 1, 0), "the file is the track that it was"
    [now] = features().values()
    assert (now["track_id"], now["features"]) == (whole["track_id"], whole["features"])
