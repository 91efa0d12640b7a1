"""A lake of an older version gets the tags and audio hashes that it lacks, without decoding a file again."""

from __future__ import annotations

import os
from datetime import date

import pytest
from tests.integration.corpus.conftest import RECORDING

from segue.corpus.days import Days
from segue.corpus.inventory import late_days
from segue.corpus.schema import FEATURES, TAGS, TRACKS, columns

pytestmark = pytest.mark.integration

NIGHT = date(2026, 3, 9)
OLD_TAGS = {"tag_title", "tag_artist", "tag_album", "tag_genre", "tag_date", "tag_error"}
SINCE = {
    "features": {*columns(TAGS), "audio_hash"} - OLD_TAGS,
    "tracks": {*columns(TRACKS)[columns(TRACKS).index("album_artist") : -1]},
}
"""Columns that schema version 5 did not have."""


@pytest.fixture
def of_version_5(integrated):
    """The pipeline with a lake of schema version 5, whose tracks are published."""
    for table, new in SINCE.items():
        old = integrated.lake.read(table).drop(*new).localCheckpoint()
        place = f"{integrated.lake.uri}/{table}"
        old.write.format("delta").save(place, mode="overwrite", overwriteSchema="true")
    integrated.lake._complete.clear()
    integrated.publish()
    return integrated


def listed(pipeline):
    return {row["path"]: row["track_id"] for row in pipeline.rows("inventory")}


def test_the_night_after_an_upgrade_reads_the_tags_of_known_files_and_decodes_nothing(of_version_5):
    pipeline = of_version_5
    moved_id = listed(pipeline)["no tags.flac"]
    (pipeline.music / "no tags.flac").rename(pipeline.music / "moved.flac")
    vectors = {row["track_id"]: (row["content_hash"], row["features"]) for row in pipeline.rows("features")}
    assert pipeline.database.tracks.find_one("t0").get("recording_mbid") is None
    found = pipeline.inventory()
    assert (found.moved, found.new, found.hashed) == (1, 0, 1)
    assert listed(pipeline)["moved.flac"] == moved_id
    nightly = Days(NIGHT, NIGHT, tuple(late_days(pipeline.lake, NIGHT)))
    assert nightly.late == (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 5))

    extracted = pipeline.extract(nightly)
    assert (extracted.work.extracted, extracted.work.tags_read_again) == (0, 8)
    assert vectors == {
        row["track_id"]: (row["content_hash"], row["features"]) for row in pipeline.rows("features")
    }
    assert all(len(row["audio_hash"]) == 32 for row in pipeline.rows("features"))
    assert late_days(pipeline.lake, NIGHT) == list(nightly.late), "read, but not merged"
    pipeline.integrate(nightly)
    assert late_days(pipeline.lake, NIGHT) == []
    pipeline.publish(nightly)
    assert pipeline.database.tracks.find_one("t0")["recording_mbid"] == RECORDING
    assert {*pipeline.lake.read("features").columns} == {*columns(FEATURES)}
    assert pipeline.extract(nightly).work.tags_read_again == 0


def test_a_file_that_cannot_be_read_keeps_its_tags_until_it_can(of_version_5):
    path = of_version_5.music / "same tags 1.mp3"
    away = path.rename(path.with_suffix(".away"))
    assert of_version_5.extract().work.tags_read_again == 7
    [waiting] = [row for row in of_version_5.rows("features") if row["tags_version"] is None]
    assert (waiting["path"], waiting["tag_title"]) == (path.name, "Twin")
    away.rename(path)
    assert of_version_5.extract().work.tags_read_again == 1


def test_a_file_that_was_only_touched_is_no_exception(of_version_5):
    os.utime(of_version_5.music / "same tags 1.mp3", ns=(1, 1))
    of_version_5.inventory()
    extracted = of_version_5.extract()
    assert (extracted.work.extracted, extracted.work.tags_read_again) == (0, 8)
