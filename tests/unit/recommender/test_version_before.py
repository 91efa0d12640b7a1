"""A champion that was trained before the retrainings shared one flow is loaded, compared with, and updated."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from tests.support.registries import new_registry

from segue.connections.windows import OffsetWindow
from segue.recommender import gate
from segue.recommender.candidate import Lineage
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.incremental import IncrementalUpdate
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.recipe import Audio
from segue.recommender.reports import UpdateFigures
from segue.recommender.retraining import Start

NEW = 40

RECIPE = """{"als": {"rank": 4, "regularization": 0.03, "alpha": 10.0, "iterations": 12},
"ease_regularization": 10.0, "cosine_balance": 0.5, "sound_prior": 1.0,
"weights": {"factors": 0.2, "ease": 0.2, "cosine": 0.2, "popularity": 0.2, "sound": 0.2},
"habit": 0.5, "threshold": 1.0}"""


def write(model: Recommender, folder: Path) -> None:
    """Write a recommender file by file, as the version before did."""
    folder.mkdir()
    catalogue, components = model.catalogue, model.blend.components
    columns = {"track_id": catalogue.track_ids, "title": catalogue.titles, "artist": catalogue.artists}
    pq.write_table(
        pa.table({name: list(column) for name, column in columns.items()}), folder / "catalogue.parquet"
    )
    factors = components["factors"]
    assert isinstance(factors, Factors)
    np.save(folder / "factors.npy", factors.item_factors)
    np.save(folder / "popularity.npy", model.popularity)
    for name in ("ease", "cosine", "sound"):
        component = components[name]
        assert isinstance(component, Neighbours)
        relations = sparse.csr_matrix(component.relations)
        for part in ("data", "indices", "indptr"):
            np.save(folder / f"{name}.{part}.npy", getattr(relations, part))
    manifest = {
        "format": 2,
        "tracks": len(catalogue),
        "recipe": json.loads(RECIPE),
        "factors": {"alpha": factors.alpha, "regularization": factors.regularization},
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())},
    }
    (folder / "recommender.json").write_text(json.dumps(manifest))


@pytest.fixture
def material(plays: sparse.csr_matrix, model: Recommender) -> Material:
    counts = plays.tocoo()
    at = np.random.default_rng(3).permutation(counts.nnz)
    interactions = Interactions(
        counts.row.astype(np.int64),
        counts.col.astype(np.int64),
        counts.data,
        at.astype(np.float64),
        np.array([f"listener {i:03}" for i in range(plays.shape[0])]),
        np.asarray(model.catalogue.track_ids, dtype=str),
    )
    factors = model.blend.components["factors"]
    assert isinstance(factors, Factors)
    audio = Audio(factors.item_factors, model.catalogue.artists)
    return Material(interactions, np.column_stack([0 * at, at]), model.catalogue, audio)


def test_it_is_updated_and_compared_with_its_full_training(
    material: Material, model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, end = new_registry(tmp_path), len(material.offsets)
    for tags in (
        {"kafka_ends": json.dumps({"0": end - 2 * NEW})},
        {
            "kafka_ends": json.dumps({"0": end - NEW}),
            "updates_since_full_training": "2",
            "full_training": "1",
        },
    ):
        version = registry.register(
            NAME, lambda folder: write(model, folder), parameters={}, metrics={}, tags=tags, report={}
        )
    registry.promote(version)
    topic = OffsetWindow("listens", {0: (0, end)})
    start = Start(registry, registry.champion(NAME), topic, topic)
    assert start.learned == {0: end - NEW}

    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    decision = IncrementalUpdate(topic).decide(None, start, material)  # type: ignore[arg-type]
    assert (decision.promoted, decision.version) == (True, "recommender/3")
    assert f"{NEW} listens that recommender/2 has not learned" in decision.reason
    assert isinstance(decision.figures, UpdateFigures)
    assert decision.figures.full_training_ndcg_at_10 is not None
    assert decision.figures.full_training_ndcg_at_10 > 0
    champion = registry.champion(NAME)
    assert champion is not None
    lineage = Lineage.of(champion)
    assert (lineage.learned, lineage.full_training, lineage.updates) == ({0: end}, 1, 3)
    assert (lineage.reference, lineage.pool.windows) == (2, 1), "promoted provisionally"
    assert Recommender.load(champion.folder()).recipe.weights == json.loads(RECIPE)["weights"]
