"""What an update takes in and what it leaves, with a real registry and no Spark."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from tests.support.registries import new_registry

from segue.connections.registry import Registry
from segue.connections.windows import Offsets, OffsetWindow
from segue.recommender import gate, incremental, training
from segue.recommender.candidate import LEARNED, Candidate, Lineage, PromotionDecision
from segue.recommender.comparison import Comparison
from segue.recommender.components.factors import Factors
from segue.recommender.gate import Pool
from segue.recommender.incremental import IncrementalUpdate
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.recipe import Audio
from segue.recommender.retraining import Start


@pytest.fixture
def registry(tmp_path: Any) -> Registry:
    return new_registry(tmp_path)


@pytest.fixture
def material(plays: sparse.csr_matrix, model: Recommender) -> Material:
    """The plays as messages of one partition, in an order that is that of their times."""
    counts = plays.tocoo()
    order = np.random.default_rng(3).permutation(counts.nnz)
    at = np.arange(counts.nnz)
    interactions = Interactions(
        counts.row[order].astype(np.int64),
        counts.col[order].astype(np.int64),
        counts.data[order],
        at.astype(np.float64),
        np.array([f"listener {i:03}" for i in range(plays.shape[0])]),
        np.asarray(model.catalogue.track_ids, dtype=str),
    )
    offsets = np.column_stack([np.zeros_like(at), at])
    factors = model.blend.components["factors"]
    assert isinstance(factors, Factors)
    return Material(interactions, offsets, model.catalogue, Audio(factors.item_factors, model.catalogue.artists))


def end_of(material: Material) -> int:
    return len(material.offsets)


def serve(registry: Registry, model: Recommender, learned: int) -> None:
    Candidate(model, Lineage(Offsets({0: learned})), "trained in full").promote(registry)


def start_of(
    material: Material, registry: Registry, window: OffsetWindow | None = None, topic_end: int | None = None
) -> Start:
    """Look up what a run on a window starts from, which ends where the material does; so does the topic."""
    topic = OffsetWindow("listens", {0: (0, end_of(material) if topic_end is None else topic_end)})
    return Start(registry, registry.champion(NAME), topic, window or topic)


def update(
    material: Material,
    registry: Registry,
    *,
    replayed_from: int | None = None,
    topic_end: int | None = None,
) -> PromotionDecision:
    window = OffsetWindow("listens", {0: (replayed_from or 0, end_of(material))})
    retraining = IncrementalUpdate(window, replay=replayed_from is not None)
    start = start_of(material, registry, window, topic_end)
    return retraining.decide(None, start, material)  # type: ignore[arg-type]  # only a full training needs Spark


def factors_of(model: Recommender | None) -> np.ndarray:
    assert model is not None
    factors = model.blend.components["factors"]
    assert isinstance(factors, Factors)
    return factors.item_factors


def test_a_champion_has_learned_nothing_of_a_topic_that_was_made_anew_though_it_is_longer(
    model: Recommender, registry: Registry
) -> None:
    Candidate(model, Lineage(Offsets({0: 100}, "one")), "trained in full").promote(registry)

    def learned(topic_id: str | None) -> Offsets:
        topic = OffsetWindow("listens", {0: (0, 500)}, topic_id=topic_id)
        return Start(registry, registry.champion(NAME), topic, topic).learned

    assert (learned("one"), learned("two"), learned(None)) == ({0: 100}, {}, {0: 100})


def test_a_window_of_a_topic_that_is_no_longer_there_changes_nothing(registry: Registry) -> None:
    window, topic = (OffsetWindow("listens", {0: (0, 5)}, topic_id=each) for each in ("one", "two"))
    reason = IncrementalUpdate(window).nothing_to_do(Start(registry, None, topic, window))
    assert reason is not None
    assert "'listens' was deleted and created again" in reason
    assert IncrementalUpdate(topic).nothing_to_do(Start(registry, None, topic, topic)) is None


def test_what_the_champion_has_seen_changes_nothing(
    material: Material, model: Recommender, registry: Registry
) -> None:
    serve(registry, model, learned=end_of(material))
    decision = update(material, registry)
    assert (decision.promoted, decision.version) == (False, "recommender/1")
    assert "already seen" in decision.reason


def test_replayed_the_tracks_of_what_it_has_seen_are_solved_again_and_no_listen_counts_twice(
    material: Material, model: Recommender, registry: Registry
) -> None:
    end = end_of(material)
    serve(registry, model, learned=end)
    decision = update(material, registry, replayed_from=end - 5)
    assert decision.promoted
    assert "of a replay, which recommender/1 has learned" in decision.reason
    changed = np.flatnonzero((factors_of(decision.model) != factors_of(model)).any(axis=1))
    assert set(changed) == set(material.interactions.item[-5:])
    assert decision.model is not None
    np.testing.assert_allclose(decision.model.popularity, model.popularity, rtol=1e-6)
    champion = registry.champion(NAME)
    assert champion is not None
    assert Lineage.of(champion).learned == {0: end}


def test_an_update_remembers_the_seed_of_its_full_training(
    material: Material, model: Recommender, registry: Registry
) -> None:
    end = end_of(material)
    Candidate(model, Lineage(Offsets({0: end}), seed=7), "trained in full").promote(registry)
    assert update(material, registry, replayed_from=end - 5).promoted
    champion = registry.champion(NAME)
    assert champion is not None
    assert (champion.number, Lineage.of(champion).seed) == (2, 7)


def test_a_replay_that_reaches_back_is_judged_by_what_is_new(
    material: Material, model: Recommender, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = end_of(material)
    serve(registry, model, learned=end - 40)
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    decision = update(material, registry, replayed_from=end - 100)
    assert "later half of 40 listens that recommender/1 has not learned" in decision.reason
    changed = np.flatnonzero((factors_of(decision.model) != factors_of(model)).any(axis=1))
    assert set(changed) == set(material.interactions.item[-100:])


def test_a_window_is_not_replayed_onto_a_champion_that_has_learned_from_more(
    material: Material, model: Recommender, registry: Registry
) -> None:
    end = end_of(material)
    serve(registry, model, learned=end + 1)
    decision = update(material, registry, replayed_from=0, topic_end=end + 1)
    assert not decision.promoted
    assert "learned listens after the end of this window" in decision.reason


def test_what_was_made_from_a_champion_that_is_no_more_does_not_take_the_place_of_the_new_one(
    material: Material, model: Recommender, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(registry, model, learned=end_of(material) - 40)
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    fold_in_plays = incremental.fold_in_plays

    def meanwhile(*arguments: Any) -> Recommender:
        if registry.champion(NAME) == registry.version(NAME, 1):
            serve(registry, model, learned=end_of(material) - 20)  # as the nightly training would
        return fold_in_plays(*arguments)

    monkeypatch.setattr(incremental, "fold_in_plays", meanwhile)
    decision = update(material, registry)
    assert (decision.promoted, decision.version, decision.model) == (False, "recommender/2", None)
    assert "recommender/3 was made from recommender/1, but meanwhile recommender/2" in decision.reason
    assert str(registry.champion(NAME)) == "recommender/2"
    assert update(material, registry).version == "recommender/4"  # the next takes in what is left


def test_of_a_topic_that_was_made_anew_the_champion_has_seen_nothing(
    material: Material, model: Recommender, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = end_of(material)
    serve(registry, model, learned=end + 5_000)
    assert "already seen" in update(material, registry, topic_end=end + 5_000).reason, "a window before its end"
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    decision = update(material, registry)
    assert decision.promoted
    assert Lineage.of(registry.version(NAME, 2)).learned == {0: end}


def test_an_update_that_few_listeners_judge_is_provisional_and_goes_on_with_the_same_pool(
    material: Material, model: Recommender, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = end_of(material)
    serve(registry, model, learned=end - 60)
    monkeypatch.setattr(gate, "FEWEST", 10**6)
    first = update(material, registry)
    assert first.promoted
    assert "against recommender/1" in first.reason
    assert "over 1 window, too few listeners for bounds: promoted provisionally" in first.reason
    registry.tag(registry.version(NAME, 2), LEARNED, Offsets({0: end - 30}).to_json())  # as if more had come
    assert "over 2 windows" in update(material, registry).reason
    lineage = Lineage.of(registry.version(NAME, 3))
    assert (lineage.reference, lineage.pool.windows, lineage.pool.number) == (1, 2, 1)
    placed = Lineage.made_from(registry.version(NAME, 3), lineage.learned)
    assert (placed.reference, placed.pool) == (1, lineage.pool), "new tracks say nothing about the listens"


def test_a_provisional_champion_that_turns_out_worse_makes_way_for_its_reference(
    material: Material, model: Recommender, registry: Registry
) -> None:
    end = end_of(material)
    serve(registry, model, learned=end - 60)
    worse = Pool().with_window([f"listener {i}" for i in range(100)], np.full(100, 0.2), np.full(100, 0.8))
    lineage = Lineage(Offsets({0: end - 30}), full_training=1, updates=1, reference=1, pool=worse)
    Candidate(model, lineage, "provisional").promote(registry)
    decision = update(material, registry)
    assert (decision.promoted, decision.version) == (False, "recommender/1")
    assert "recommender/2 was provisional, so recommender/1 serves again" in decision.reason
    assert decision.model is not None, "its lists are published"
    champion = registry.champion(NAME)
    assert champion is not None
    assert (champion.number, Lineage.of(champion).pool) == (1, Pool(number=2))
    assert Lineage.of(champion).learned == {0: end - 60}, "the next update learns these listens anew"


def test_where_nobody_plays_something_new_the_reason_says_that_nothing_judges(
    material: Material, model: Recommender, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(registry, model, learned=end_of(material) - 1)
    monkeypatch.setattr(incremental, "sample_listeners", lambda _: np.array([], dtype=np.int64))
    decision = update(material, registry)
    assert decision.promoted
    assert "nothing to judge by" in decision.reason


def test_whom_the_champion_has_a_trace_of_is_who_was_forgotten_since_its_full_training(
    material: Material, model: Recommender, registry: Registry
) -> None:
    removed = {"user:a": time.time() - 60, "user:b": time.time() + 60}
    removed |= {"user:a/100/x": time.time() + 60, "event:y": time.time() + 60}
    start = start_of(material, registry)
    assert training.forgotten_since_full_training(replace(start, removed=removed)) == 2
    serve(registry, model, learned=end_of(material))
    start = start_of(material, registry)
    assert training.forgotten_since_full_training(replace(start, removed=removed)) == 1


@pytest.mark.parametrize("damaged", [True, False])
def test_a_damaged_champion_does_not_outlive_a_full_training_that_does_not_pass(
    material: Material, model: Recommender, registry: Registry, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    poor = Comparison("by time", [], "EASE", {"popularity": (-1.0, -1.0, -1.0)}, {}, model.recipe)
    monkeypatch.setattr(training, "compare", lambda *_, **__: poor)
    monkeypatch.setattr(training, "comparison_table", lambda _: "")
    monkeypatch.setattr(training, "page", lambda *_, **__: "")
    monkeypatch.setattr(training.als, "fit", lambda *_, **__: model.blend.components["factors"])
    serve(registry, model, learned=0)
    champion = registry.version(NAME, 1)
    if damaged:
        (champion.folder() / "factors.npy").write_bytes(b"damaged")
    start = start_of(material, registry)
    decision = training.train_in_full(None, start, material, seed=7)  # type: ignore[arg-type]
    assert decision.promoted == damaged
    assert str(registry.champion(NAME)) == ("recommender/2" if damaged else "recommender/1")
    if damaged:
        assert "popularity serves" in decision.reason
        assert Recommender.load(registry.version(NAME, 2).folder())
        assert Lineage.of(registry.version(NAME, 2)).seed == 7
