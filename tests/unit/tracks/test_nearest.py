"""The index of sound: exact below a size, approximate above it, and kept up as tracks come and go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segue.tracks import nearest
from segue.tracks.nearest import SoundIndex
from segue.tracks.sound_space import SoundSpace


def made(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, 64)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def expected(places: dict[str, NDArray[np.float32]], vector: NDArray[np.float32], count: int) -> list[str]:
    return sorted(places, key=lambda track: -float(places[track] @ vector))[:count]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 99)), max_size=40), st.booleans())
def test_after_any_changes_the_nearest_are_those_of_the_tracks_that_are_there(
    changes: list[tuple[bool, int, int]], approximate: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "EXACT_BELOW", 3 if approximate else 1_000)
        index, places = SoundIndex(), {f"t{i}": vector for i, vector in enumerate(made(4))}
        index.add(list(places), np.array(list(places.values())))
        index.build_graph()
        for comes, number, seed in changes:
            track = f"t{number}"
            if comes:
                places[track] = made(1, seed)[0]
                index.add([track], places[track][None])
            else:
                places.pop(track, None)
                index.remove([track])
    assert len(index) == len(places)
    asked = made(1, 1_000)[0]
    found = index.near(asked, 5)
    own = [float(places[track] @ asked) for track, _ in found]
    assert [cosine for _, cosine in found] == pytest.approx(own, abs=1e-5)
    near = [float(places[track] @ asked) for track in expected(places, asked, 5)]
    assert [cosine for _, cosine in found] == pytest.approx(near, abs=1e-5)


def test_the_approximate_index_finds_what_the_exact_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, index = made(3_000), SoundIndex()
    index.add([str(i) for i in range(3_000)], vectors)
    exact = [{track for track, _ in index.near(vectors[i], 50)} for i in range(20)]
    monkeypatch.setattr(nearest, "EXACT_BELOW", 3_000)
    index.build_graph()
    near = [{track for track, _ in index.near(vectors[i], 50)} for i in range(20)]
    assert all(len(found) == 50 for found in near)
    assert np.mean([len(a & b) / 50 for a, b in zip(exact, near, strict=True)]) > 0.9


def test_an_empty_index_and_a_track_at_no_place_have_no_neighbours() -> None:
    index = SoundIndex()
    assert index.near(made(1)[0], 5) == []
    index.add(["a", "b"], made(2))
    assert index.near(np.zeros(64, np.float32), 5) == []
    assert index.vector("unknown") is None
    assert not index.vectors(["unknown"]).any()


def test_a_new_track_gets_the_place_that_fitting_with_it_would_have_given() -> None:
    features = np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32)
    space = SoundSpace.fit(features)
    np.testing.assert_allclose(space.place(features[:1]), space.place(features)[:1], atol=1e-6)
    features[0, 3] = np.inf
    assert np.isfinite(space.place(features[:1])).all()
