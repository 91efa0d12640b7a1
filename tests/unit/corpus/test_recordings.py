from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from segue.audio.definition import N_FEATURES
from segue.corpus import recordings

SCHEMA = (
    "track_id string, content_hash string, audio_hash string, artist string, title string, duration_s double,"
    " sample_rate int, recording_mbid string, isrc string, acoustid string, flags array<string>,"
    " partition_date date, features array<float>"
)
SOUNDS = np.random.default_rng(0).uniform(1, 2, (80, N_FEATURES)).astype(np.float32)


def track(track_id, day=1, *, sound=0, seconds=30.0, artist="Anon", title="Air", audio=None, **ids):
    """A row of the corpus. `sound` is the number of its music; a tenth more is another encoding of it."""
    vector = SOUNDS[int(sound)] * (1 + 0.001 * (sound % 1))
    return (
        *(track_id, f"bytes of {track_id}", audio, artist, title, float(seconds), 44_100),
        *(*map(ids.get, ("mbid", "isrc", "acoustid")), [], date(2026, 1, day), vector.tolist()),
    )


@pytest.fixture
def grouped(spark):
    """Group rows, and return the recording and the flags by track id."""

    def run(*rows):
        corpus = spark.createDataFrame(list(rows), SCHEMA)
        found = recordings.group(corpus.drop("features"), corpus.select("track_id", "features")).collect()
        assert len(found) == len(rows)
        return {row["track_id"]: (row["recording"], *row["flags"]) for row in found}

    return run


def test_copies_are_grouped_by_hash_by_id_and_by_sound_and_the_first_by_day_is_the_recording(grouped):
    assert grouped(
        track("tagged", 3, sound=1, audio="x", title="Other", seconds=31),
        track("untagged", 2, sound=1, audio="x", artist=None, title="01"),
        track("clip", 1, sound=2, mbid="m", seconds=30.0),
        track("whole", 2, sound=3, mbid="m", seconds=180.0),
        track("single", 2, sound=4, isrc="i", title="Jig", seconds=99.0),
        track("album", 1, sound=5, isrc="i", title="A Jig", seconds=100.5),
        track("first", 1, sound=6, title="Reel"),
        track("again", 2, sound=6.1, title="REEL [Bonus Track]", seconds=31.5, artist="Anon; Somebody"),
        track("stereo", 1, sound=7, title="Polka", acoustid="f"),
        track("telephone", 2, sound=8, title="Polka", acoustid="f"),
    ) == {
        "tagged": ("untagged", "duplicate:audio"),
        "untagged": ("untagged",),
        "clip": ("clip",),
        "whole": ("clip", "duplicate:mbid"),
        "single": ("album", "duplicate:isrc"),
        "album": ("album",),
        "first": ("first",),
        "again": ("first", "duplicate:sound"),
        "stereo": ("stereo",),
        "telephone": ("stereo", "duplicate:sound"),
    }


def test_other_versions_lengths_sounds_and_ids_are_other_recordings(grouped):
    found = grouped(
        track("studio"),
        track("live", title="Air (Live at Home)"),
        track("remaster", title="Air - Remastered 2011"),
        track("remix", title="Air [Z Remix]"),
        track("long", seconds=33.0),
        track("take", sound=1),
        track("cover", artist="Somebody"),
        track("named", mbid="m1", title="Jig", sound=2),
        track("other id", mbid="m2", title="Jig", sound=2),
        track("one id", mbid="album", title="One", sound=3, seconds=100.0),
        track("for all", mbid="album", title="Two", sound=4, seconds=200.0),
    )
    assert found == {name: (name,) for name in found}


def test_names_that_identify_nothing_do_not_group(grouped):
    found = grouped(*(track(str(i), sound=i, artist="[unknown]", title="[untitled]") for i in range(9)))
    found |= grouped(*(track(str(i), sound=0, artist="[unknown]", title="[untitled]") for i in range(9)))
    assert found == {name: (name,) for name in found}


def test_sixty_preludes_of_one_composer_are_sixty_recordings(grouped):
    lengths = np.linspace(60, 172, 60)
    found = grouped(*(track(str(i), sound=i, title="Prelude", seconds=s) for i, s in enumerate(lengths.tolist())))
    assert found == {name: (name,) for name in found}


def test_a_corpus_without_copies_is_left_as_it_is(grouped):
    assert grouped(track("a", artist=None), track("b", title="Jig")) == {"a": ("a",), "b": ("b",)}


def rows_of(keys):
    """Rows of one id, or of several, with the durations and titles given."""
    rows = sorted((key, seconds, f"t{i}", title) for i, (key, seconds, title) in enumerate(keys))
    n = len(rows)
    return pa.table(
        {
            "track_id": [row[2] for row in rows],
            "day": pa.array([0] * n, pa.int32()),
            "duration_s": [float(row[1]) for row in rows],
            "sample_rate": pa.array([44_100] * n, pa.int32()),
            "title": pa.array([row[3] for row in rows], pa.int64()),
            "mbid": pa.array([None] * n, pa.int64()),
            "isrc": pa.array([None] * n, pa.int64()),
            "acoustid": pa.array([None] * n, pa.int64()),
            "kind": pa.array([recordings.EVIDENCE.index("mbid")] * n, pa.int32()),
            "key": [row[0] for row in rows],
            "features": pa.array([None] * n, pa.list_(pa.float32())),
        }
    )


def test_keys_are_compared_as_a_whole_however_they_are_cut_into_batches():
    rows = rows_of([(key, 30 + 0.1 * i, None) for key in (1, 2, 2, 2, 3, 3) for i in range(3)])
    whole = pa.Table.from_batches(recordings.compare_neighbours(iter(rows.to_batches())))
    assert len(whole) == len(rows)
    for size in (1, 2, 5):
        batches = rows.to_batches(max_chunksize=size)
        assert pa.Table.from_batches(recordings.compare_neighbours(iter(batches))).equals(whole)


def test_tracks_of_one_key_are_compared_with_their_neighbours_only(monkeypatch):
    pairs = []
    monkeypatch.setattr(recordings, "_is_same", lambda _rows, _values, one, _other: pairs.extend(one) or one < 0)
    assert (recordings.find_groups(rows_of([(1, i, i) for i in range(1_000)])) == np.arange(1_000)).all()
    assert len(pairs) < 1_000 * recordings.COMPARED


def test_one_id_on_a_whole_album_groups_nothing():
    rows = rows_of([(1, 60 * 1.06**i, i) for i in range(20)])
    assert (recordings.find_groups(rows) == np.arange(20)).all()


def test_groups_with_a_track_in_common_are_one():
    members = pa.table(
        {
            "track_id": ["b", "c", "c", "a", "x", "y"],
            "first": ["b", "b", "c", "c", "x", "x"],
            "day": pa.array([2, 1, 1, 1, 5, 5], pa.int32()),
            "kind": pa.array([4, 4, 1, 1, 2, 2], pa.int32()),
        }
    )
    assert recordings.merge(members).to_pylist() == [
        {"track_id": "b", "recording": "a", "evidence": "sound"},
        {"track_id": "c", "recording": "a", "evidence": "audio"},
        {"track_id": "y", "recording": "x", "evidence": "mbid"},
    ]
