"""Copies of a recording find each other over all days, in the lake and in MongoDB."""

from __future__ import annotations

from datetime import date

import mutagen
import pytest
import soundfile

from segue.corpus.days import Days
from segue.corpus.inventory import late_days

pytestmark = pytest.mark.integration

LATER = date(2026, 3, 9)


def state(pipeline):
    """Recording and flags of each track, in the lake and in MongoDB."""
    lake = {row["track_id"]: (row["recording"], *row["flags"]) for row in pipeline.rows("tracks")}
    found = pipeline.database.tracks.find()
    published = {document["_id"]: (document["recording"], *document["flags"]) for document in found}
    assert lake == published
    return lake


def run(pipeline, *late):
    days = Days(LATER, LATER, late)
    pipeline.extract(days)
    pipeline.integrate(days)
    pipeline.publish(days)
    return state(pipeline)


def test_a_copy_of_another_day_joins_its_recording_and_follows_when_the_first_goes(published):
    before = state(published)
    samples, rate = soundfile.read(published.music / "Réels/tune no. 1.mp3")
    copy = published.music / "again.flac"
    soundfile.write(copy, samples, rate)
    file = mutagen.File(copy, easy=True)
    file.update({"title": ["TUNE 1"], "artist": ["Anon"]})
    file.save()
    published.inventory(LATER)
    after = run(published)
    [new] = after.keys() - before.keys()
    assert after.pop(new) == ("t1", "duplicate:sound")
    assert after == before

    (published.music / "Réels/tune no. 1.mp3").unlink()
    published.inventory(LATER)
    [day] = late_days(published.lake, LATER)
    days = Days(day, day)
    published.extract(days)
    published.integrate(days)
    published.publish(days)
    del before["t1"]
    assert state(published) == before | {new: (new,)}, "the copy's own day was not processed"
    assert published.publish(Days()).written == 0


def test_days_of_an_older_lake_are_late_until_they_are_grouped(integrated):
    old = integrated.lake.read("tracks").drop("recording").localCheckpoint()
    place = f"{integrated.lake.uri}/tracks"
    old.write.format("delta").save(place, mode="overwrite", overwriteSchema="true")
    integrated.lake._complete.clear()
    late = late_days(integrated.lake, LATER)
    assert late == [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 5)]
    assert all(recording for recording, *_ in run(integrated, *late).values())
    assert late_days(integrated.lake, LATER) == []
