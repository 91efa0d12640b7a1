"""The rules hold in every list: daily or on request, from any tracks, for any listener."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.playlists.made_up import MadeUp, library

from segue.errors import PlaylistError
from segue.listens.history import History
from segue.playlists import daily, requested
from segue.playlists.playlist import Playlist
from segue.playlists.rules import SKIPPED_DAYS, barred_for, per_artist
from segue.recommender.serving.rules import DAY_S

NOW = 1_800_000_000
TRACKS = 30

Corpus = st.tuples(
    st.lists(st.integers(0, 6), min_size=TRACKS, max_size=TRACKS),
    st.lists(st.integers(0, 25), min_size=TRACKS, max_size=TRACKS),
)
Ids = st.lists(st.sampled_from([f"t{i}" for i in range(TRACKS)]), max_size=8)


def made_of(kind: str, tracks: MadeUp, history: History, barred: frozenset[str]) -> Playlist:
    if kind == "radio":
        return requested.radio(tracks, "user", "t0", 12, barred)
    if kind == "path":
        return requested.path(tracks, "user", "t0", "t1", 12, barred)
    if kind == "alchemy":
        return requested.alchemy(tracks, "user", ["t0", "t2"], ["t3"], 12, barred)
    if kind == "genre":
        return requested.genre(tracks, "user", "Jazz", 40, barred, "today")
    if kind == "mood":
        return requested.mood(tracks, "user", "calm", 40, barred, "today")
    if kind == daily.ON_REPEAT:
        return daily.on_repeat(tracks, "user", history, barred, NOW)
    known = {"because": [], "others": 0.0, "popularity": 1.0}
    items = [{"track_id": track, "reason": "It is new.", **known} for track in tracks.all]
    recommended: dict[str, Any] = {"_id": "user", "items": items, "model_version": "recommender/1"}
    return daily.of_recommendations(tracks, kind, recommended, barred, NOW)


EXPECTED = {"radio": 12, "path": 12, "alchemy": 12, "genre": round(40 * 60 / 214), "mood": round(40 * 60 / 214)}
ASKED = {"radio": ["t0"], "path": ["t0", "t1"]}


@pytest.mark.parametrize("kind", ["radio", "path", "alchemy", "genre", "mood", *daily.KINDS])
@settings(max_examples=50, deadline=None)
@given(Corpus, Ids, Ids, st.lists(st.integers(0, TRACKS - 1), max_size=60))
def test_the_rules_hold_in_every_list(
    kind: str, corpus: tuple[list[int], list[int]], hated: list[str], skipped: list[str], played: list[int]
) -> None:
    tracks = library(*corpus)
    history = History.of(
        [(f"t{track}", NOW - 60 * i) for i, track in enumerate(played)],
        [(track, NOW - DAY_S) for track in skipped],
    )
    barred = barred_for(tracks, history, hated, NOW)
    if kind == "path" and corpus[1][0] == corpus[1][1]:
        with pytest.raises(PlaylistError, match="same recording"):
            made_of(kind, tracks, history, barred)
        return
    made = made_of(kind, tracks, history, barred)
    listed = [entry.track for entry in made.entries]
    recordings = [track.recording for track in listed]
    assert len(recordings) == len(set(recordings))
    asked = ASKED.get(kind, [])
    out = {tracks.all[track].recording for track in (*hated, *skipped)}
    assert out.isdisjoint(track.recording for track in listed if track.track_id not in asked)
    assert all(entry.reason for entry in made.entries)
    count = EXPECTED.get(kind, daily.COUNT)
    if kind in ("genre", "mood"):
        assert sum(track.duration_s for track in listed) <= 40 * 60
    else:
        assert len(listed) <= count
    artists = Counter(track.artist for track in listed if track.artist)
    given = Counter(tracks.all[track].artist for track in asked)
    for artist, number in artists.items():
        # If all candidates are by one artist, there is no limit.
        assert number <= max(per_artist(count), given[artist]) or len(artists) == 1
    again = made_of(kind, tracks, history, barred)
    assert [entry.track.track_id for entry in again.entries] == [track.track_id for track in listed]


def test_what_was_skipped_long_ago_may_come_back() -> None:
    tracks = library(range(1, 20))
    skips = [("t1", NOW - DAY_S), ("t2", NOW - (SKIPPED_DAYS + 1) * DAY_S)]
    barred = barred_for(tracks, History.of([], skips), [], NOW)
    found = {entry.track.track_id for entry in requested.radio(tracks, "user", "t0", 19, barred).entries}
    assert "t1" not in found
    assert "t2" in found


def test_a_corpus_of_one_artist_is_played_all_the_same() -> None:
    tracks = library([1] * 10)
    assert len(requested.radio(tracks, "user", "t0", 8).entries) == 8


def test_a_track_is_barred_under_each_of_its_ids() -> None:
    tracks = library([1, 2, 3], [0, 1, 2])
    for track in tracks.all.values():
        for each in track.ids:
            barred = barred_for(tracks, History(), [each], NOW)
            made = made_of(daily.DISCOVERIES, tracks, History(), barred)
            assert track.track_id not in {entry.track.track_id for entry in made.entries}
