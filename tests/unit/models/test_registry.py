from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.models.registry import Registry
from segue.settings import Settings


@pytest.fixture
def registry(tmp_path):
    return Registry(Settings(home=tmp_path / "a home", corpus="test"))


@pytest.fixture
def model(spark):
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StringIndexer

    return Pipeline(stages=[StringIndexer(inputCol="a", outputCol="b")]).fit(
        spark.createDataFrame([("x",)], "a string")
    )


def register(registry, model, **changes):
    return registry.register(
        "toy",
        model,
        **({"parameters": {"p": 1}, "metrics": {"f1": 0.5}, "tags": {"t": "x"}, "report": {"é": 1}} | changes),
    )


def test_an_empty_registry_has_no_champion(registry):
    assert registry.champion("toy") is None


def test_a_registered_model_does_not_serve_until_it_is_promoted(registry, model):
    version = register(registry, model)
    assert registry.champion("toy") is None
    registry.promote(version)
    assert registry.champion("toy") == version
    assert (version.number, version.metrics, version.tags) == (1, {"f1": 0.5}, {"t": "x"})


def test_the_old_champion_is_kept_and_can_serve_again(registry, model):
    first, second = register(registry, model), register(registry, model)
    registry.promote(first)
    registry.promote(second)
    assert registry.champion("toy") == second
    assert first.load().stages
    registry.promote(first)
    assert registry.champion("toy") == first


def test_a_version_is_a_folder_in_sparks_format_with_its_report_beside_it(registry, model, spark):
    version = register(registry, model)
    loaded = version.load()
    assert loaded.transform(spark.createDataFrame([("x",)], "a string")).first().b == 0.0
    folder = Path(version.location.removeprefix("file:"))
    assert (folder / "metadata").is_dir()
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    assert json.loads((folder.parent / "report.json").read_text()) == {"é": 1}


def test_another_process_finds_the_champion(registry, model, tmp_path):
    registry.promote(register(registry, model))
    again = Registry(Settings(home=tmp_path / "a home", corpus="test"))
    assert again.champion("toy") == registry.champion("toy")
