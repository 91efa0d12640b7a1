"""What `versions.json` says of a champion."""

from __future__ import annotations

from pathlib import Path

from segue.connections.registry import Registry
from segue.connections.windows import Offsets
from segue.export import dataset
from segue.recommender.candidate import Lineage
from segue.settings import Settings


def test_a_champion_is_described_with_its_seed_its_parameters_and_its_metrics(tmp_path: Path) -> None:
    registry = Registry(Settings(home=tmp_path))
    registry.promote(
        registry.register(
            "recommender",
            lambda folder: folder.mkdir(),
            parameters={"als.rank": 32},
            metrics={"Segue/ndcg_at_10": 0.1},
            tags=Lineage(Offsets({0: 9}), seed=7).tags(),
            report={},
        )
    )
    champion = registry.champion("recommender")
    assert champion is not None
    described = dataset._described(champion)
    assert (described["version"], described["tags"]["seed"]) == (1, "7")
    assert described["parameters"] == {"als.rank": "32"}
    assert described["metrics"] == {"Segue/ndcg_at_10": 0.1}
