"""The id, the day and the first sight of each file."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd

from segue.corpus.assignment import IN_PANDAS, assign, unchanged
from segue.corpus.identity import Absent
from segue.corpus.listing import AudioFile, file_id
from segue.corpus.recognition import Recognised
from segue.corpus.schema import columns

NOW, TODAY, EARLIER = datetime(2026, 3, 9, tzinfo=UTC), date(2026, 3, 9), date(2026, 3, 1)


def inventory(*rows):
    return pd.DataFrame([(*row, "") for row in rows], columns=columns(IN_PANDAS)).set_index("path")


def described(*rows):
    return pd.DataFrame(rows, columns=["file", "track_id", "date_created"], dtype=object)


def test_a_file_of_the_same_path_size_and_time_is_unchanged():
    before = inventory(*((path, path, 1, 2, 3, TODAY) for path in ("same", "larger", "touched", "gone")))
    files = {
        file.path: file
        for file in (AudioFile("same", 1, 2), AudioFile("larger", 9, 2), AudioFile("touched", 1, 9))
    }
    assert unchanged(before, files).index.tolist() == ["same"]
    assert unchanged(inventory(), files).columns.tolist() == before.columns.tolist(), "the first run"


def test_an_inventory_without_changes_is_as_before():
    before = inventory(("a", "t1", 1, 2, 3, EARLIER), ("b", "f1", 1, 2, 3, TODAY))
    files = [AudioFile("b", 1, 2), AudioFile("a", 1, 2)]
    assert assign(files, described(("a", "t1", TODAY)), before, Recognised(), TODAY, NOW).equals(before)


def test_a_recognised_file_keeps_id_day_and_first_sight_and_has_its_present_state():
    track = Absent("old", track_id="t1", partition_date=EARLIER, first_seen_us=3)
    rows = assign([AudioFile("new", 5, 6)], described(), inventory(), Recognised({"new": track}), TODAY, NOW)
    assert rows.reset_index().to_numpy().tolist() == [["new", "t1", 5, 6, 3, EARLIER, ""]]


def test_a_new_file_enters_on_the_day_of_the_table_or_else_on_the_day_it_is_seen():
    rows = assign(
        [AudioFile(path, 1, 2) for path in ("dated", "undated", "alone")],
        described(("dated", "t1", EARLIER), ("undated", "", None)),
        inventory(),
        Recognised(without_file=[file_id("alone")]),
        TODAY,
        NOW,
    )
    assert rows["partition_date"].to_dict() == {"dated": EARLIER, "undated": TODAY, "alone": TODAY}
    assert rows.loc["dated", "track_id"] == "t1"
    assert rows.loc["undated", "track_id"] == file_id("undated")
    assert rows.loc["alone", "track_id"] != file_id("alone"), "the id of a track that is away"
    assert set(rows["first_seen_us"]) == {int(NOW.timestamp() * 1e6)}
