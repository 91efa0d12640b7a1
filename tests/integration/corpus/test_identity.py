"""Tracks keep their id, day and features, whatever happens to the names and the tags of their files."""

from __future__ import annotations

import os
import shutil
from datetime import date

import mutagen
import pytest

from segue.corpus import inventory

pytestmark = pytest.mark.integration

LATER = date(2026, 3, 20)
KEPT = ("_id", "partition_date", "features", "duration_s")


def documents(pipeline):
    """Return the published tracks by id."""
    return {document["_id"]: document for document in pipeline.database.tracks.find()}


def same(document):
    return {name: document[name] for name in KEPT}


def retag(path, title):
    file = mutagen.File(path, easy=True)
    file["title"] = [title]
    file.save()


def run(pipeline, seen_on=LATER):
    """Run all jobs, and return what the inventory found and how many files were decoded."""
    found = pipeline.inventory(seen_on)
    extracted = pipeline.extract()
    pipeline.integrate()
    pipeline.publish()
    return found, extracted.work.extracted


def stopped(*_):
    raise KeyboardInterrupt


def test_ids_days_and_features_follow_files_that_are_moved_retagged_and_copied(published, monkeypatch):
    music, before = published.music, documents(published)
    by_path = {document["path"]: document["_id"] for document in before.values()}
    (music / "Réels").rename(music / "Reels")
    retag(music / "same tags 1.mp3", "Retagged")
    (music / "moved").mkdir()
    (music / "same tags 2.mp3").rename(music / "moved/twin.mp3")
    retag(music / "moved/twin.mp3", "Retagged and moved")
    (music / "no tags.flac").rename(music / "moved/1.flac")
    (music / os.fsdecode(b"caf\xe9\n.flac")).rename(music / "moved/2.flac")
    (music / "letter.mp3").rename(music / "moved/letter.mp3")
    shutil.copy(music / "Reels/tune no. 0.mp3", music / "copy.mp3")

    with monkeypatch.context() as patch:
        patch.setattr(inventory, "_merge", stopped)
        with pytest.raises(KeyboardInterrupt):
            published.inventory(LATER)
    found, decoded = run(published)
    assert (found.new, found.gone, found.changed, found.moved) == (1, 0, 1, 8)
    assert found.retagged == 0, "the run that was stopped has updated them"
    assert (found.hashed, decoded) == (10, 1), "only the copy is new"

    after = documents(published)
    [copy] = after.keys() - before.keys()
    assert {track_id: same(after[track_id]) for track_id in before} == {
        track_id: same(document) for track_id, document in before.items()
    }
    assert (after[copy]["path"], after[copy]["partition_date"]) == ("copy.mp3", str(LATER))
    assert (after[copy]["recording"], after[copy]["flags"]) == ("t0", ["duplicate:content"])
    assert after["t0"]["path"] == "Reels/tune no. 0.mp3"
    assert after["t0"]["title"] == "Tune 0", "from the row of the table, which has the old path"
    assert after[by_path["same tags 1.mp3"]]["title"] == "Retagged"
    twin = after[by_path["same tags 2.mp3"]]
    assert (twin["path"], twin["title"]) == ("moved/twin.mp3", "Retagged and moved")
    assert after[by_path["caf%E9\n.flac"]]["path"] == "moved/1.flac", "copies go by their sorted paths"
    assert after[by_path["no tags.flac"]]["path"] == "moved/2.flac"

    found, decoded = published.inventory(LATER), published.extract().work.extracted
    assert (found.new, found.moved, found.hashed, decoded) == (0, 0, 0, 0)


def test_a_file_that_was_away_for_a_night_is_itself_again(published):
    music, before = published.music, documents(published)
    away = music.with_name("away")
    (music / "Réels").rename(away)
    found, _ = run(published)
    assert (found.gone, found.files) == (4, 7)
    assert documents(published).keys() == before.keys() - {"t0", "t1", "t2", "t3"}

    away.rename(music / "Réels")
    (music / "Réels/tune no. 3.mp3").rename(music / "three.mp3")
    retag(music / "three.mp3", "Three")
    (music / "Réels/tune no. 2.mp3").write_bytes((music / "same tags 1.mp3").read_bytes())
    found, decoded = run(published)
    assert (found.new, found.gone, found.moved, found.retagged, decoded) == (0, 0, 4, 1, 1)
    after = documents(published)
    unlike = after.pop("t2")
    assert unlike["path"] == "Réels/tune no. 2.mp3", "with new content, a file is still the track of its path"
    assert {track_id: same(document) for track_id, document in after.items()} == {
        track_id: same(document) for track_id, document in before.items() if track_id != "t2"
    }
    assert after["t3"]["path"] == "three.mp3"
