"""Moods are rules on descriptors, relative to the library: each library has some of each."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.tracks.moods import MOODS, MOST, SHARE, found_in

Value = st.floats(0.01, 1.0)
Described = st.tuples(*[Value] * 5, st.sampled_from(["major", "minor"]))


def track(number: int, values: tuple[Any, ...], **changed: Any) -> dict[str, Any]:
    tempo, regularity, loudness, sure, brightness, mode = values
    return {
        "_id": f"t{number:03}",
        "tempo_bpm": 40 + 200 * tempo,
        "beat_regularity": regularity,
        "loudness_lufs": -60 * loudness,
        "key_mode": mode,
        "key_confidence": sure,
        "descriptors": {"spectral_centroid_hz": 8_000 * brightness},
    } | changed


@settings(deadline=None)
@given(st.lists(Described, min_size=1, max_size=60), st.integers(0, 20))
def test_each_library_has_a_share_of_each_mood_and_never_a_track_without_descriptors(
    values: list[tuple[Any, ...]], without: int
) -> None:
    tracks = [track(i, each) for i, each in enumerate(values)]
    bare = [{"_id": f"bare{i}", "descriptors": {"spectral_centroid_hz": 900.0}} for i in range(without)]
    found = found_in([*tracks, *bare])
    assert list(found) == list(MOODS)
    for ids in found.values():
        assert len(ids) == len(set(ids)) == math.ceil(SHARE * len(tracks))
        assert set(ids) <= {each["_id"] for each in tracks}


@settings(deadline=None)
@given(st.lists(Described, min_size=1, max_size=30), st.permutations(range(30)))
def test_only_ranks_count_and_not_the_order_of_the_documents(
    values: list[tuple[Any, ...]], order: list[int]
) -> None:
    tracks = [track(i, each) for i, each in enumerate(values)]
    louder = [each | {"loudness_lufs": each["loudness_lufs"] / 2 + 100} for each in tracks]
    shuffled = [louder[i] for i in order if i < len(louder)]
    assert found_in(shuffled) == found_in(tracks)


def test_moods_are_what_their_names_say() -> None:
    kinds = {
        "energetic": (0.9, 0.2, 0.05, 0.1, 0.9, "major"),
        "calm": (0.05, 0.3, 0.9, 0.1, 0.1, "major"),
        "danceable": (0.4, 0.9, 0.3, 0.1, 0.5, "major"),
        "happy": (0.8, 0.2, 0.1, 0.9, 0.8, "major"),
        "melancholic": (0.1, 0.3, 0.8, 0.9, 0.2, "minor"),
    }
    tracks = [track(i, values) for i, values in enumerate(kinds.values())]
    assert found_in(tracks) == {mood: [f"t{i:03}"] for i, mood in enumerate(kinds)}


@pytest.mark.parametrize(
    ("lacking", "moods"),
    [
        ("tempo_bpm", set(MOODS)),
        ("beat_regularity", {"danceable"}),
        ("loudness_lufs", {"energetic", "calm", "happy", "melancholic"}),
        ("key_mode", {"happy", "melancholic"}),
        ("descriptors", {"energetic", "calm", "happy", "melancholic"}),
    ],
)
def test_a_track_that_lacks_a_value_has_no_mood_that_needs_it(lacking: str, moods: set[str]) -> None:
    alone = track(0, (0.5, 0.5, 0.5, 0.5, 0.5, "major"), **{lacking: None})
    assert {mood for mood, ids in found_in([alone]).items() if not ids} == moods


def test_a_mood_has_at_most_so_many_tracks() -> None:
    tracks = [track(i, (i / 40_000, 0.5, 0.5, 0.5, 0.5, "major")) for i in range(math.ceil((MOST + 10) / SHARE))]
    assert {len(ids) for ids in found_in(tracks).values()} == {MOST}


def test_a_library_without_tracks_has_no_moods() -> None:
    assert set(found_in([])) == set(MOODS)
    assert not any(found_in([]).values())
