"""The search: it finds what tells genres apart, keeps to its budget, and goes on after a kill."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.linalg import Vectors

from segue.audio.definition import FAMILIES
from segue.models.genre import classifiers
from segue.models.genre.search import Budget, done, fit, open_study, search

QUICK = ("logistic", "fourier")


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.mark.parametrize("kind", classifiers.DEFAULTS)
def test_every_classifier_learns_with_its_defaults(data, kind):
    small = {"perceptron_iterations": 20, "forest_trees": 5, "boosted_rounds": 3, "fourier_dimension": 64}
    choice = classifiers.default(kind)
    choice = choice | {name: value for name, value in small.items() if name in choice}
    predicted = fit(data.part("train"), data, choice, seed=0).transform(data.part("test"))
    right = predicted.where("label = prediction").count() / predicted.count()
    assert right > 0.8
    assert len(predicted.first().rawPrediction) == 2


def test_a_search_keeps_to_its_budget_and_begins_with_what_was_best_before(data, storage):
    lines = []
    known = {"classifier": "logistic", "scaling": "robust", "families": "all", "logistic_reg": 0.5}
    gone = known | {"families": "no such selection"}
    study = open_study(storage, "a", seed=0)
    best = search(data, study, Budget(3, 10), kinds=QUICK, known=[known, gone], say=lines.append)
    assert [line.partition(" ")[0] for line in lines] == ["1/3", "2/3", "3/3"]
    tried = [trial.user_attrs["choice"] for trial in done(study)]
    assert tried[0] == known
    assert tried[1:] == [classifiers.default(kind) for kind in QUICK]
    assert best.user_attrs["choice"] in tried
    assert 0 < best.user_attrs["temperature"] < 100
    assert study.best_value > 0.8


def test_without_time_there_is_one_trial(data, storage):
    study = open_study(storage, "a", seed=0)
    search(data, study, Budget(5, 0), kinds=QUICK, say=lambda _: None)
    assert len(done(study)) == 1


def test_a_trial_whose_rest_would_take_longer_than_what_is_left_is_given_up(data, storage, monkeypatch):
    clock = itertools.count(step=10)  # ten seconds a look
    monkeypatch.setattr("segue.models.genre.search.time", SimpleNamespace(monotonic=lambda: next(clock)))
    study = open_study(storage, "a", seed=0)
    search(data, study, Budget(5, 1.5), kinds=QUICK, say=lambda _: None)
    states = [trial.state.name for trial in done(study)]
    assert states == ["COMPLETE", "PRUNED"], "the first is always finished"


def test_a_search_that_was_killed_does_the_rest_and_repeats_the_trial_that_it_was_in(data, storage):
    study = open_study(storage, "a", seed=0)
    search(data, study, Budget(1, 10), kinds=QUICK, say=lambda _: None)
    killed = study.ask()
    choice = classifiers.suggest(killed, QUICK, list(classifiers.family_sets(data.families)))

    again = open_study(storage, "a", seed=0)
    search(data, again, Budget(3, 10), kinds=QUICK, say=lambda _: None)
    states = [trial.state for trial in again.trials]
    assert states[:2] == [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL]
    assert len(done(again)) == 3
    assert choice in [trial.user_attrs["choice"] for trial in again.trials[2:]]

    search(data, open_study(storage, "a", seed=0), Budget(3, 10), kinds=QUICK, say=lambda _: None)
    assert len(done(open_study(storage, "a", seed=0))) == 3


def test_selections_of_families_are_offered_where_the_table_has_them():
    families = {"mfcc": [0, 1], "spectral_contrast": [2], "spectral_centroid": [3], "tonnetz": [4]}
    assert classifiers.family_sets(families) == {"all": [0, 1, 2, 3, 4], "mfcc, contrast, centroid": [0, 1, 2, 3]}


def test_the_kernel_machine_gets_bounded_values_and_those_of_timbre_at_half_their_scale(spark):
    families = {family: [at] for at, family in enumerate(FAMILIES)}
    rows = np.random.default_rng(0).normal(size=(50, len(families)))
    rows[0] = 1_000.0
    frame = spark.createDataFrame([(Vectors.dense(row),) for row in rows], ["features"])
    *scaling, _, _ = classifiers.build(classifiers.KERNEL, families, 2, seed=0)
    scaled = np.array([row.scaled for row in Pipeline(stages=scaling).fit(frame).transform(frame).collect()])
    for family, (at,) in families.items():
        bound = 1.0 if family in classifiers.FAMILY_SETS["timbre"] else 2.0
        assert 0.9 * bound < np.abs(scaled[:, at]).max() < bound
