"""Copies of a recording are one item everywhere: in lists, plays, and the model's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from segue.listens.history import History
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.sound import alike
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import documents, listener_of
from segue.recommender.serving.one_listener import Recommending
from segue.recommender.serving.recommend import Wishes
from segue.recommender.update import reindex

AT = 1_700_000_000
NAMES = [f"t{i:02}" for i in range(24)]


def catalogue_of(recordings: list[int]) -> Catalogue:
    """A catalogue of `NAMES`, given the number of each track's recording."""
    first: dict[int, str] = {}
    for track, recording in zip(NAMES, recordings, strict=True):
        first.setdefault(recording, track)
    return Catalogue.of(NAMES, NAMES, NAMES, [first[recording] for recording in recordings])


def served_by(catalogue: Catalogue) -> Served:
    random = np.random.default_rng(len(catalogue))
    sounds = random.normal(size=(len(catalogue), 3)).astype(np.float32)
    sounds /= np.linalg.norm(sounds, axis=1, keepdims=True)
    components: dict[str, Any] = {
        "factors": Factors(sounds, 10.0, 0.01),
        "popularity": Popularity(random.random(len(catalogue), dtype=np.float32)),
        "sound": alike(sounds),
    }
    weights = {"factors": 0.5, "popularity": 0.3, "sound": 0.2}
    recipe = Recipe(Hyperparameters(rank=3), 10.0, 0.5, 0.0, weights, 0.5, 0.0)
    return Served("recommender/1", Recommender(catalogue, Blend(components, weights), recipe))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=24, max_size=24),
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(AT, AT + 50)), max_size=40),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_list_has_a_recording_twice(
    recordings: list[int], plays: list[tuple[str, int]], discover: float
) -> None:
    catalogue = catalogue_of(recordings)
    of_track = dict(zip(NAMES, recordings, strict=True))
    assert sorted(catalogue.position) == NAMES
    assert len({of_track[track] for track in catalogue.track_ids}) == len(catalogue) == len(set(recordings))

    served = served_by(catalogue)
    listener = listener_of(served, History.of(plays))
    assert listener.plays.sum() == len({(of_track[track], at) for track, at in plays})
    wishes = Wishes(discover=discover, recent_days=0, per_artist=25)
    found = next(documents(served, {"somebody": listener}, now=AT + 100, wishes=wishes))
    listed = [of_track[item["track_id"]] for item in found["items"]]
    assert len(listed) == len(set(listed))


def test_a_stored_list_loses_copies_and_every_copy_of_what_is_hated() -> None:
    served = served_by(Catalogue.of(list("abcd"), [""] * 4, [""] * 4, ["a", "a", "c", "c"]))
    recommending = Recommending(Unused(), SimpleNamespace(served=served))  # type: ignore[arg-type]
    stored = [{"track_id": track} for track in ("b", "a", "d", "old", "c")]
    assert [item["track_id"] for item in recommending._shown(stored, set())] == ["b", "d", "old"]
    assert [item["track_id"] for item in recommending._shown(stored, {"c"})] == ["b", "old"]
    recommending.champion.served = None
    assert [item["track_id"] for item in recommending._shown(stored, {"c"})] == ["b", "a", "d", "old"]


class Unused:
    """A database that is not read."""

    def __getitem__(self, name: str) -> Unused:
        return self


def test_the_first_track_stands_for_its_recording_or_another_if_it_is_not_there() -> None:
    found = Catalogue.of(["a", "b", "c", "d"], ["A", "B", "C", "D"], ["x"] * 4, ["z", "b", "b", None])
    assert (found.track_ids, found.titles, found.copies) == (["a", "b", "d"], ["A", "B", "D"], [(), ("c",), ()])
    assert found.position == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert Catalogue.of(["a", "z"], ["", ""], ["", ""], ["z", "z"]).track_ids == ["z"]
    assert Catalogue.of(["a"], [""], [""], ["a"]).copies == ()


def test_plays_of_copies_add_up_and_hate_for_one_bars_the_recording() -> None:
    served = served_by(Catalogue.of(["a", "b", "c"], [""] * 3, [""] * 3, ["a", "a", "c"]))
    history = History.of([("a", 5), ("b", 5), ("b", 9), ("c", 7)])
    listener = listener_of(served, history)
    assert (listener.tracks.tolist(), listener.plays.tolist()) == ([0, 1], [2, 1])
    assert (listener.last_played.tolist(), listener.hated) == ([9, 7], [])
    hates = listener_of(served, history, ["b"])
    assert (hates.tracks.tolist(), hates.hated) == ([1], [0])


def test_a_saved_catalogue_keeps_its_copies(tmp_path: Path) -> None:
    model = served_by(catalogue_of([i // 2 for i in range(24)])).model
    model.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model").catalogue
    assert loaded.position == model.catalogue.position
    assert len(loaded) == 12


def test_two_recordings_that_become_one_keep_its_relations_and_await_its_plays(model: Recommender) -> None:
    known = model.catalogue
    joined = Catalogue.of(known.track_ids, known.titles, known.artists, ["t0", "t0", *known.track_ids[2:]])
    after = reindex(model, joined)
    before_factors, factors = (each.blend.components["factors"].item_factors for each in (model, after))
    assert not factors[0].any()
    np.testing.assert_array_equal(factors[1:], before_factors[2:])
    before_near, near = (each.blend.components["cosine"].relations.toarray() for each in (model, after))
    np.testing.assert_array_equal(near[0, 1:], before_near[0, 2:])
    assert reindex(after, joined) == replace(after, catalogue=joined)


def test_a_copy_that_comes_or_goes_changes_nothing_else(model: Recommender) -> None:
    known = model.catalogue
    joined = Catalogue.of(
        [*known.track_ids, "t60"], [*known.titles, ""], [*known.artists, ""], [*known.track_ids, "t7"]
    )
    after = reindex(model, joined)
    assert after.catalogue.position["t60"] == 7
    for one in (after, reindex(after, known)):
        np.testing.assert_array_equal(
            one.blend.components["factors"].item_factors, model.blend.components["factors"].item_factors
        )
        assert (sparse.csr_matrix(one.blend.components["sound"].relations) != model.alike.relations).nnz == 0


@pytest.mark.parametrize("recordings", [[None, None], ["a", "b"]])
def test_without_copies_every_track_is_a_recording(recordings: list[str | None]) -> None:
    found = Catalogue.of(["a", "b"], ["A", "B"], ["x", "y"], recordings)
    assert found == Catalogue(["a", "b"], ["A", "B"], ["x", "y"])
