"""Orders and paths have short steps."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.playlists.made_up import library

from segue.errors import PlaylistError
from segue.playlists import order, requested


def on_sphere(count: int, seed: int, dimensions: int = 6) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 999))
def test_an_order_has_each_track_once_and_no_reversal_shortens_it(count: int, seed: int) -> None:
    apart = order.angles(on_sphere(count, seed))
    found = order.smooth(apart)
    assert sorted(found) == list(range(count))
    for i in range(1, count):
        for j in range(i + 1, count):
            reversed_ = found[:i] + found[i : j + 1][::-1] + found[j + 1 :]
            assert order.length(reversed_, apart) >= order.length(found, apart) - 1e-6


def test_an_order_begins_where_it_is_told_and_shortens_the_walk_to_the_nearest() -> None:
    apart = order.angles(on_sphere(40, 1))
    found = order.smooth(apart, first=7)
    assert found[0] == 7
    walk, left = [7], set(range(40)) - {7}
    while left:
        walk.append(min(left, key=lambda at: apart[walk[-1], at]))
        left.remove(walk[-1])
    assert order.length(found, apart) < order.length(walk, apart)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 99))
def test_a_path_has_the_smallest_sum_of_squared_steps(count: int, most: int, seed: int) -> None:
    apart = order.angles(on_sphere(count, seed, 3))
    found = order.path(apart, most)
    assert (found[0], found[-1]) == (0, count - 1)
    assert len(found) == len(set(found)) <= most

    def cost(way: tuple[int, ...]) -> float:
        return float((apart[list(way[:-1]), list(way[1:])] ** 2).sum())

    ways = [
        (0, *some, count - 1)
        for length in range(min(most - 1, count - 1))
        for some in permutations(range(1, count - 1), length)
    ]
    assert cost(tuple(found)) == pytest.approx(min(map(cost, ways)))


def test_a_path_through_a_corpus_has_smaller_steps_than_the_leap() -> None:
    tracks = library(range(1, 400), seed=3)
    made = requested.path(tracks, "user", "t0", "t1", 10)
    apart = order.angles(tracks.index.vectors([entry.track.track_id for entry in made.entries]))
    assert [made.entries[at].track.track_id for at in (0, -1)] == ["t0", "t1"]
    assert np.diagonal(apart, 1).max() < apart[0, -1] / 1.5


def test_alchemy_goes_towards_more_and_away_from_less() -> None:
    tracks = library(range(1, 400), seed=3)
    made = requested.alchemy(tracks, "user", ["t0"], ["t1"], 20)
    more, less = (tracks.index.vector(each) for each in ("t0", "t1"))
    vectors = tracks.index.vectors([entry.track.track_id for entry in made.entries])
    assert (vectors @ more > vectors @ less).all()
    assert "more like “title 0” by artist 1, less like" in made.description.lower()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda tracks: requested.radio(tracks, "user", "nothing", 9), "Cannot find track: nothing"),
        (lambda tracks: requested.radio(tracks, "user", "t9", 9), "cannot be compared by sound yet"),
        (lambda tracks: requested.path(tracks, "user", "t0", "t0", 9), "the same recording"),
        (lambda tracks: requested.alchemy(tracks, "user", [], [], 9), "Name at least one track"),
        (lambda tracks: requested.alchemy(tracks, "user", ["t0"], ["t0"], 9), "sound the same as those"),
        (lambda tracks: requested.genre(tracks, "user", "Polka", 9), "No track has the genre 'Polka'.*Jazz, Rock"),
    ],
)
def test_what_cannot_be_made_gets_one_sentence(ask, said: str) -> None:  # type: ignore[no-untyped-def]
    tracks = library(range(1, 11))
    tracks.index.add(["t9"], np.zeros((1, 8), np.float32))
    with pytest.raises(PlaylistError, match=said):
        ask(tracks)


def test_a_corpus_of_one_track_is_a_radio_of_one_track() -> None:
    tracks = library([1])
    assert [entry.track.track_id for entry in requested.radio(tracks, "user", "t0", 9).entries] == ["t0"]
    assert tracks.similar("t0", 5) == []
