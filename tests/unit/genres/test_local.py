"""The classifiers that are fitted on the driver: they score as their libraries do, and survive saving."""

from __future__ import annotations

import sys

import lightgbm
import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.linalg import Vectors
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from segue.genres import local
from segue.genres.local import LocalClassifier

GENRES = 3
PARAMETERS = {
    "svm": {"C": 2.0, "gamma": 0.5},
    "lightgbm": {"num_iterations": 5, "num_leaves": 4, "min_data_in_leaf": 2, "seed": 0},
}


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(60, 4)) + np.arange(60)[:, None] % GENRES


@pytest.fixture(scope="module")
def tracks(spark, rows):
    labelled = [(f"{at:02}", float(at % GENRES), 1.0, Vectors.dense(row)) for at, row in enumerate(rows)]
    return spark.createDataFrame(labelled, ["track_id", "label", "weight", "scaled"])


def scores(model, tracks):
    return np.array([row.rawPrediction for row in model.transform(tracks).orderBy("track_id").collect()])


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_saved_model_scores_as_the_one_that_was_fitted_and_has_no_pickle(tracks, kind, tmp_path):
    model = LocalClassifier(kind, PARAMETERS[kind], n_genres=GENRES).fit(tracks)
    PipelineModel([model]).write().save((tmp_path / "model").as_uri())
    loaded = PipelineModel.load((tmp_path / "model").as_uri())
    np.testing.assert_array_equal(scores(loaded, tracks), scores(model, tracks))
    predicted = loaded.transform(tracks)
    assert predicted.where("prediction = label").count() > 40
    assert not list(tmp_path.rglob("*.pkl"))


def test_the_svm_scores_as_that_of_scikit_learn(tracks, rows):
    model = LocalClassifier("svm", PARAMETERS["svm"], n_genres=GENRES).fit(tracks)
    theirs = OneVsRestClassifier(SVC(C=2.0, gamma=0.5 / rows.shape[1])).fit(rows, np.arange(60) % GENRES)
    np.testing.assert_allclose(scores(model, tracks), theirs.decision_function(rows), atol=2e-3)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_genre_that_a_sample_lacks_is_never_predicted(tracks, kind):
    model = LocalClassifier(kind, PARAMETERS[kind], n_genres=GENRES + 1).fit(tracks)
    assert scores(model, tracks).shape == (60, GENRES + 1)
    assert model.transform(tracks).where(f"prediction = {GENRES}").count() == 0


@pytest.mark.parametrize("kind", PARAMETERS)
def test_the_weight_of_a_track_counts(tracks, kind):
    heavy = tracks.selectExpr("track_id", "label", "if(label = 0, 5D, 0.2D) AS weight", "scaled")
    model = LocalClassifier(kind, PARAMETERS[kind], n_genres=GENRES).fit(heavy)
    assert model.transform(tracks).where("prediction = 0").count() > 30


def test_a_machine_without_openmp_is_told_what_to_install(monkeypatch):
    assert local.missing_library() is None

    class Finder:
        def find_spec(self, name, *_):
            if name == "lightgbm":
                raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, lightgbm.__name__)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert "libgomp.so.1" in local.missing_library()
    assert "apt-get install libgomp1" in local.missing_library()
