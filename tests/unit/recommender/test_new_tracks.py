"""The recommender follows the catalogue, with a real registry and no Spark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from tests.support.registries import new_registry

from segue.connections.registry import Registry
from segue.connections.windows import Offsets, OffsetWindow
from segue.recommender.candidate import Candidate, Lineage, PromotionDecision
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Catalogue, Recommender
from segue.recommender.new_tracks import TrackPlacement
from segue.recommender.recipe import Audio
from segue.recommender.reports import PlacementFigures
from segue.recommender.retraining import Start
from segue.recommender.update import fold_in_tracks, reindex

TASTES, SEEN = 4, 500


@pytest.fixture
def registry(tmp_path: Any) -> Registry:
    return new_registry(tmp_path)


def factors_of(model: Recommender | None) -> np.ndarray:
    assert model is not None
    return model.blend.components["factors"].item_factors  # type: ignore[attr-defined, no-any-return]


def sounds_of(model: Recommender | None) -> sparse.csr_matrix:
    assert model is not None
    component = model.blend.components["sound"]
    assert isinstance(component, Neighbours)
    return component.relations


def tastes_alike(model: Recommender | None, track: int) -> set[int]:
    """The tastes of the ten tracks that sound most like one."""
    relations = sounds_of(model).toarray()
    return set((np.argsort(-relations[track])[:10] % TASTES).tolist())


def material_of(plays: sparse.csr_matrix, catalogue: Catalogue, sounds: np.ndarray) -> Material:
    counts = plays.tocoo()
    at = np.arange(counts.nnz)
    interactions = Interactions(
        counts.row.astype(np.int64),
        counts.col.astype(np.int64),
        counts.data,
        at.astype(np.float64),
        np.array([f"listener {i:03}" for i in range(plays.shape[0])]),
        np.asarray(catalogue.track_ids, dtype=str),
    )
    return Material(interactions, np.column_stack([0 * at, at]), catalogue, Audio(sounds, catalogue.artists))


@pytest.fixture
def sounds(model: Recommender) -> np.ndarray:
    factors = model.blend.components["factors"]
    assert isinstance(factors, Factors)
    return factors.item_factors


def grown(plays: sparse.csr_matrix, catalogue: Catalogue, sounds: np.ndarray) -> tuple[Any, Catalogue, np.ndarray]:
    """One more track at the end, of the first taste by its sound, that nobody has played."""
    larger = Catalogue(
        [*catalogue.track_ids, "t60"], [*catalogue.titles, "Title 60"], [*catalogue.artists, "somebody"]
    )
    nobody = sparse.csr_matrix((plays.shape[0], 1), dtype=np.float32)
    return (
        sparse.csr_matrix(sparse.hstack([plays, nobody])),
        larger,
        np.vstack([sounds, np.eye(TASTES, dtype=np.float32)[[0]]]),
    )


def place_tracks(material: Material, registry: Registry) -> PromotionDecision:
    topic = OffsetWindow("listens", {0: (0, 10**6)})
    start = Start(registry, registry.champion(NAME), topic, topic)
    return TrackPlacement(OffsetWindow("tracks", {0: (0, 1)})).decide(None, start, material)  # type: ignore[arg-type]


def serve(
    registry: Registry, model: Recommender, plays: sparse.csr_matrix, audio: Audio, seen: int
) -> Recommender:
    """Let a recommender serve that stands as its audio says, and has seen so many listens."""
    settled = fold_in_tracks(model, plays, audio)
    lineage = Lineage(Offsets({0: seen}), full_training=1, updates=3)
    Candidate(settled, lineage, "an update").promote(registry)
    return settled


def test_a_new_track_is_placed_by_its_audio_and_what_was_played_stays(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    settled = serve(registry, model, plays, Audio(sounds, model.catalogue.artists), SEEN)
    decision = place_tracks(material_of(*grown(plays, model.catalogue, sounds)), registry)
    assert (decision.promoted, decision.version) == (True, "recommender/2")
    assert decision.figures == PlacementFigures(tracks_new=1, tracks_gone=0)
    items = factors_of(decision.model)
    np.testing.assert_array_equal(items[:60], factors_of(settled))
    likeness = items[:60] @ items[60] / np.linalg.norm(items[:60], axis=1)
    assert set(np.argsort(-likeness)[:15] % TASTES) == {0}
    assert tastes_alike(decision.model, 60) == {0}


def test_no_listen_is_taken_in_and_the_count_of_updates_goes_on(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    serve(registry, model, plays, Audio(sounds, model.catalogue.artists), SEEN)
    material = material_of(*grown(plays, model.catalogue, sounds))
    assert len(material.offsets) > SEEN
    decision = place_tracks(material, registry)
    champion = registry.champion(NAME)
    assert champion is not None
    assert Lineage.of(champion) == Lineage(Offsets({0: SEEN}), full_training=1, updates=3)
    assert decision.model is not None
    counted = np.rint(np.expm1(decision.model.popularity))
    seen = material.interactions.matrix(material.offsets[:, 1] < SEEN)
    np.testing.assert_array_equal(counted, np.diff(seen.tocsc().indptr))


def test_announced_again_nothing_changes(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    serve(registry, model, plays, Audio(sounds, model.catalogue.artists), SEEN)
    material = material_of(*grown(plays, model.catalogue, sounds))
    assert place_tracks(material, registry).promoted
    again = place_tracks(material, registry)
    assert (again.promoted, again.version) == (False, "recommender/2")
    assert "as they are" in again.reason


def test_a_track_that_sounds_otherwise_now_is_placed_anew_if_nobody_has_played_it(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    larger, catalogue, heard = grown(plays, model.catalogue, sounds)
    serve(registry, reindex(model, catalogue), larger, Audio(heard, catalogue.artists), SEEN)
    heard[60] = np.eye(TASTES, dtype=np.float32)[1]
    decision = place_tracks(material_of(larger, catalogue, heard), registry)
    items = factors_of(decision.model)
    likeness = items[:60] @ items[60] / np.linalg.norm(items[:60], axis=1)
    assert set(np.argsort(-likeness)[:15] % TASTES) == {1}
    assert tastes_alike(decision.model, 60) == {1}


def test_listens_that_came_before_their_track_count_when_it_comes(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    known = model.catalogue
    without = Catalogue(known.track_ids[:59], known.titles[:59], known.artists[:59])
    audio = Audio(sounds[:59], without.artists)
    settled = serve(registry, reindex(model, without), plays[:, :59], audio, seen=10**6)
    decision = place_tracks(material_of(plays, known, sounds), registry)
    assert decision.promoted
    np.testing.assert_array_equal(factors_of(decision.model)[:59], factors_of(settled))
    fans, others = plays[:, 59].toarray().ravel() > 0, plays[:, 59].toarray().ravel() == 0
    assert decision.model is not None
    scores = decision.model.blend.components["factors"].score(plays)[:, 59]
    assert scores[fans].mean() > 2 * scores[others].mean()


def test_without_a_champion_there_is_nothing_to_bring_up_to_date(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    decision = place_tracks(material_of(plays, model.catalogue, sounds), registry)
    assert (decision.promoted, decision.version) == (False, "none")
    assert "the next training" in decision.reason


def test_a_new_title_is_taken_over(
    plays: sparse.csr_matrix, model: Recommender, sounds: np.ndarray, registry: Registry
) -> None:
    serve(registry, model, plays, Audio(sounds, model.catalogue.artists), SEEN)
    renamed = replace(model.catalogue, titles=["Another", *model.catalogue.titles[1:]])
    material = material_of(plays, renamed, sounds)
    # All listens are seen, so that nothing but the title differs.
    decision = place_tracks(replace(material, offsets=0 * material.offsets), registry)
    assert decision.promoted
    assert decision.model is not None
    assert decision.model.catalogue.titles[0] == "Another"
