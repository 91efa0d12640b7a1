"""The search: it finds what tells genres apart, keeps to its budget, and goes on after a kill."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.linalg import Vectors

from segue.audio.definition import FAMILIES
from segue.genres import classifiers, studies
from segue.genres.search import Budget, SearchSpace, fit, search
from segue.genres.studies import ended_trials, failed_trials, open_study

QUICK = ("logistic", "fourier")


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture
def no_fits(monkeypatch):
    """Let a trial fit nothing and score 0.5, for tests of what a search does around its trials."""
    monkeypatch.setattr("segue.genres.search._Search._predict_folds", lambda *_: [pd.DataFrame()])
    monkeypatch.setattr("segue.genres.search._score", lambda *_: (0.5, 1.0))


@pytest.mark.parametrize("kind", classifiers.DEFAULTS)
def test_every_classifier_learns_with_its_defaults(data, kind):
    small = {"perceptron_iterations": 20, "forest_trees": 5, "boosted_rounds": 3, "fourier_dimension": 64}
    choice = classifiers.default_choice(kind)
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
    best = search(data, study, Budget(3, 10), SearchSpace(QUICK, [known, gone]), say=lines.append)
    lines = [line for line in lines if ": running for " not in line and ": done in " not in line]  # if it is slow
    assert [line.partition(":")[0] for line in lines] == [f"Trial {i} of 3" for i in (1, 2, 3)]
    assert all(line.endswith(" min left.") for line in lines)
    tried = [trial.user_attrs["choice"] for trial in ended_trials(study)]
    assert tried[0] == known
    assert tried[1:] == [classifiers.default_choice(kind) for kind in QUICK]
    assert best.user_attrs["choice"] in tried
    assert 0 < best.user_attrs["temperature"] < 100
    assert study.best_value > 0.8


@pytest.mark.usefixtures("no_fits")
def test_without_time_there_is_one_trial(data, storage):
    study = open_study(storage, "a", seed=0)
    search(data, study, Budget(5, 0), SearchSpace(QUICK), say=lambda _: None)
    assert len(ended_trials(study)) == 1


@pytest.mark.usefixtures("no_fits")
def test_a_trial_whose_rest_would_take_longer_than_what_is_left_is_given_up(data, storage, monkeypatch):
    clock = itertools.count(step=10)  # ten seconds a look
    monkeypatch.setattr("segue.genres.search.time", SimpleNamespace(monotonic=lambda: next(clock)))
    study = open_study(storage, "a", seed=0)
    search(data, study, Budget(5, 1.2), SearchSpace(QUICK), say=lambda _: None)
    states = [trial.state.name for trial in ended_trials(study)]
    assert states == ["COMPLETE", "PRUNED"], "the first is always finished"


@pytest.mark.usefixtures("no_fits")
@pytest.mark.parametrize(("later", "chosen"), [(0.9, 1), (0.4, 0)])
def test_a_trial_that_was_better_when_the_time_was_up_is_chosen(data, monkeypatch, later, chosen):
    clock = itertools.count(step=10)  # ten seconds a look
    monkeypatch.setattr("segue.genres.search.time", SimpleNamespace(monotonic=lambda: next(clock)))
    measured = iter([0.5, 0.6, later])
    monkeypatch.setattr("segue.genres.search._score", lambda *_: (next(measured), 1.0))
    lines = []
    best = search(data, open_study(None, "a", seed=0), Budget(5, 1.2), SearchSpace(QUICK), say=lines.append)
    assert best.number == chosen
    assert ("too little time is left" in lines[-1]) == (chosen == 1)


@pytest.mark.usefixtures("no_fits")
def test_a_search_that_was_killed_does_the_rest_and_repeats_the_trial_that_it_was_in(data, storage):
    study = open_study(storage, "a", seed=0)
    search(data, study, Budget(1, 10), SearchSpace(QUICK), say=lambda _: None)
    killed = study.ask()
    choice = classifiers.suggest(killed, QUICK, list(classifiers.family_sets(data.families)))

    again = open_study(storage, "a", seed=0)
    search(data, again, Budget(3, 10), SearchSpace(QUICK), say=lambda _: None)
    states = [trial.state for trial in again.trials]
    assert states[:2] == [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL]
    assert len(ended_trials(again)) == 3
    assert choice in [trial.user_attrs["choice"] for trial in again.trials[2:]]

    search(data, open_study(storage, "a", seed=0), Budget(3, 10), SearchSpace(QUICK), say=lambda _: None)
    assert len(ended_trials(open_study(storage, "a", seed=0))) == 3


@pytest.mark.usefixtures("no_fits")
@pytest.mark.parametrize("trials", [1, 3])
def test_a_search_killed_in_its_first_trial_repeats_and_finishes_it(data, storage, monkeypatch, trials):
    known = {"classifier": "logistic", "scaling": "robust", "families": "all", "logistic_reg": 0.5}
    measured = iter([0.9, SystemExit(), 0.8, 0.8])

    monkeypatch.setattr("segue.genres.search._score", lambda *_: raised(next(measured)))
    budget = Budget(trials, 0)
    with pytest.raises(SystemExit):
        search(data, open_study(storage, "a", seed=0), budget, SearchSpace(QUICK, [known]), say=lambda _: None)
    best = search(data, open_study(storage, "a", seed=0), budget, SearchSpace(QUICK, [known]), say=lambda _: None)
    assert best.value == 0.8, "finished, though it was better before the kill"
    if trials == 1:
        assert best.user_attrs["choice"] == known


@pytest.mark.usefixtures("no_fits")
def test_a_trial_killed_before_it_began_is_repeated_as_it_was_meant(data, storage):
    known = {"classifier": "logistic", "scaling": "robust", "families": "all", "logistic_reg": 0.5}
    study = open_study(storage, "a", seed=0)
    study.enqueue_trial(known)
    study.ask()
    best = search(data, open_study(storage, "a", seed=0), Budget(1, 0), SearchSpace(QUICK), say=lambda _: None)
    assert best.user_attrs["choice"] == known


@pytest.mark.usefixtures("no_fits")
def test_a_trial_that_raises_has_failed_and_the_search_goes_on(data, storage, monkeypatch):
    measured = iter([ValueError("no such gradient\nat line 7"), 0.8, 0.8])
    monkeypatch.setattr("segue.genres.search._score", lambda *_: raised(next(measured)))
    study, lines = open_study(storage, "a", seed=0), []
    best = search(data, study, Budget(2, 10), SearchSpace(QUICK), say=lines.append)
    assert best.value == 0.8
    lines = [line for line in lines if ": running for " not in line and ": done in " not in line]  # if it is slow
    assert [line.partition(":")[0] for line in lines] == ["Trial 1 of 2", "Trial 2 of 2"]
    assert lines[0].startswith("Trial 1 of 2: classifier logistic")
    assert "s with ValueError: no such gradient. " in lines[0]


@pytest.mark.usefixtures("no_fits")
@pytest.mark.parametrize(("trials", "tried"), [(1, 1), (20, 3)])
def test_when_the_first_trials_all_fail_the_error_is_raised_and_a_retry_makes_them(
    data, storage, monkeypatch, trials, tried
):
    known = {"classifier": "logistic", "scaling": "robust", "families": "all", "logistic_reg": 0.5}
    budget = Budget(trials, 0)
    with monkeypatch.context() as patch:
        patch.setattr("segue.genres.search._score", lambda *_: raised(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            search(data, open_study(storage, "a", seed=0), budget, SearchSpace(QUICK, [known]), say=lambda _: None)
    assert len(failed_trials(open_study(storage, "a", seed=0))) == tried
    best = search(data, open_study(storage, "a", seed=0), budget, SearchSpace(QUICK, [known]), say=lambda _: None)
    assert trials > 1 or best.user_attrs["choice"] == known


def raised(measured):
    if isinstance(measured, BaseException):
        raise measured
    return measured, 1.0


def test_of_each_dag_the_newest_studies_stay(storage, monkeypatch):
    monkeypatch.setattr(studies, "KEPT_STUDIES", 2)
    for run in ("genre/1", "genre_model/1", "genre/2", "genre/3", "genre/2", "genre/4"):
        open_study(storage, run, seed=0)
    assert optuna.get_all_study_names(storage) == ["genre_model/1", "genre/3", "genre/4"]


def test_fits_at_the_same_time_change_nothing_but_the_time(data):
    found = []
    for parallelism in (1, 2):
        study = open_study(None, "a", seed=0)
        search(data, study, Budget(2, 10), SearchSpace(QUICK), parallelism=parallelism, say=lambda _: None)
        found.append([(trial.params, trial.intermediate_values, trial.user_attrs) for trial in study.trials])
    assert found[0] == found[1]


@pytest.mark.usefixtures("no_fits")
def test_after_half_of_the_folds_the_better_half_of_the_trials_goes_on(data, monkeypatch):
    measured = iter([0.80, 0.81, 0.79, 0.85, 0.84, 0.83, 0.82])
    monkeypatch.setattr("segue.genres.search._score", lambda *_: (next(measured), 1.0))
    study = open_study(None, "a", seed=0)
    search(data, study, Budget(4, 10), SearchSpace(["logistic"]), say=lambda _: None)
    trials = [(trial.state.name, *trial.intermediate_values.values()) for trial in study.trials]
    assert trials == [
        ("COMPLETE", 0.80, 0.81),
        ("PRUNED", 0.79),
        ("COMPLETE", 0.85, 0.84),
        ("COMPLETE", 0.83, 0.82),
    ]


KILLED = """
import sys
from pyspark.sql import SparkSession
from segue.genres import dataset
from segue.genres.search import Budget, SearchSpace, search
from segue.genres.studies import open_study
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
data = dataset.prepare_dataset(spark.read.parquet(sys.argv[1]), {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]})
search(data, open_study(sys.argv[2], "a", seed=0), Budget(1000, 10), SearchSpace(["logistic"]))
"""


def test_a_search_killed_with_9_goes_on_without_repeating_what_had_ended(corpus, data, storage, tmp_path):
    corpus().write.parquet(str(tmp_path / "tracks"))
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "tracks"), storage]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Trial 1 of 1000:"):
                break
        os.killpg(process.pid, signal.SIGKILL)
    left = [trial for trial in open_study(storage, "a", seed=0).trials if trial.state.is_finished()]
    finished = [(trial.number, trial.params, trial.intermediate_values) for trial in left]
    assert finished

    again = open_study(storage, "a", seed=0)
    search(data, again, Budget(len(finished) + 1, 10), SearchSpace(["logistic"]), say=lambda _: None)
    now = [(trial.number, trial.params, trial.intermediate_values) for trial in again.trials]
    assert now[: len(finished)] == finished
    assert len(ended_trials(again)) == len(finished) + 1


def test_no_classifier_is_tried_that_takes_a_fit_for_each_of_hundreds_of_genres_or_that_the_driver_cannot_hold():
    kinds = list(classifiers.DEFAULTS)
    assert classifiers.affordable(kinds, 10_000, 50) == kinds
    assert set(kinds) - set(classifiers.affordable(kinds, 10_000, 500)) == {"svm", "lightgbm", "svc", "boosted"}
    assert set(kinds) - set(classifiers.affordable(kinds, 10_001, 50)) == {"svm", "lightgbm"}


def test_selections_of_families_are_offered_where_the_table_has_them():
    families = {"mfcc": [0, 1], "spectral_contrast": [2], "spectral_centroid": [3], "tonnetz": [4]}
    assert classifiers.family_sets(families) == {"all": [0, 1, 2, 3, 4], "mfcc, contrast, centroid": [0, 1, 2, 3]}


def test_the_kernel_machine_gets_bounded_values_and_those_of_timbre_at_half_their_scale(spark):
    families = {family: [at] for at, family in enumerate(FAMILIES)}
    rows = np.random.default_rng(0).normal(size=(50, len(families)))
    rows[0] = 1_000.0
    frame = spark.createDataFrame([(Vectors.dense(row),) for row in rows], ["features"])
    *scaling, _, _ = classifiers.pipeline_stages(classifiers.LARGE_KERNEL, families, 2, seed=0)
    scaled = np.array([row.scaled for row in Pipeline(stages=scaling).fit(frame).transform(frame).collect()])
    for family, (at,) in families.items():
        bound = 1.0 if family in classifiers.FAMILY_SETS["timbre"] else 2.0
        assert 0.9 * bound < np.abs(scaled[:, at]).max() < bound
