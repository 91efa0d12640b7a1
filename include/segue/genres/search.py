"""The search for the best choice of classifier, scaling, feature families and parameters.

Optuna's TPE sampler proposes choices, and successive halving prunes the poor ones. After a kill, a search with the
same study continues and spends the rest of its budget.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from segue.genres import classifiers
from segue.genres.classifiers import Choice
from segue.genres.dataset import Dataset
from segue.genres.studies import (
    OUT_OF_TIME,
    best_trial,
    describe,
    ended_trials,
    enqueue_again,
    enqueue_killed,
    failed_trials,
    has_complete_trial,
)
from segue.genres.validation import Fold, ValidationPlan, plan_validation
from segue.runs.progress import Say, step

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

MAX_FIRST_FAILURES = 3
"""If this many trials fail before any trial has completed, the search ends. The cause is then not the choice."""


@dataclass(frozen=True)
class Budget:
    """The limits of a search. The first limit that is reached ends it, but never before one trial is complete.

    Parameters
    ----------
    trials : int
        Number of trials. Completed and pruned trials of earlier processes count, and so do failed trials of this
        process.
    minutes : float
        Time for this process. A running trial is completed, unless its next step would exceed the time.
    """

    trials: int
    minutes: float


@dataclass(frozen=True)
class SearchSpace:
    """The set of choices that a search can make.

    Parameters
    ----------
    kinds : sequence of str
        Classifiers, of `segue.genres.classifiers.DEFAULTS`.
    past_choices : sequence of Choice
        The best choices of earlier searches. They are tried first.
    """

    kinds: Sequence[str] = classifiers.FAST
    past_choices: Sequence[Choice] = ()

    def first_choices(self, families: Sequence[str], alone: Sequence[str] = ()) -> list[Choice]:
        """List the choices that are tried before the sampler proposes any.

        They are the past choices, then each classifier with its defaults, and then logistic regression with hardly
        any regularization. A larger kernel machine follows the third default. If there are several vectors, the
        first classifier is tried with each of them alone, too.

        Parameters
        ----------
        families : sequence of str
            Selections of feature families that the table has.
        alone : sequence of str
            Those of them that are a single vector, see `classifiers.vector_sets`.
        """
        defaults = [*map(classifiers.default_choice, self.kinds), classifiers.UNREGULARIZED]
        defaults.insert(3, classifiers.LARGE_KERNEL)
        defaults[1:1] = [{**defaults[0], "families": name} for name in alone]
        choices = [*self.past_choices, *defaults]
        return [each for each in choices if each["classifier"] in self.kinds and each["families"] in families]


def search(
    data: Dataset,
    study: Study,
    budget: Budget,
    space: SearchSpace | None = None,
    *,
    seed: int = 0,
    parallelism: int | None = None,
    say: Say = print,
) -> FrozenTrial:
    """Try choices until the budget is spent.

    A trial that raises an error counts as failed, and the search goes on.

    Parameters
    ----------
    data : Dataset
    study : Study
        As `segue.genres.studies.open_study` returns it.
    budget : Budget
    space : SearchSpace, optional
    seed : int
        Seed of the folds and of the classifiers.
    parallelism : int, optional
        Number of fits at the same time. It changes the time but not the result, because trials run one after the
        other. By default, it is the number of fits whose tasks the cores can run at once. It never exceeds the
        folds of a rung: two with cross-validation, otherwise one (see `segue.genres.validation`).
    say : callable
        Called with a line after each trial.

    Returns
    -------
    FrozenTrial
        The trial with the highest macro F1 in validation, see `segue.genres.studies.best_trial`. Its
        ``user_attrs`` have the ``choice``, and the ``temperature`` that turns its scores into probabilities.

    Raises
    ------
    Exception
        The error of the last trial, if the first `MAX_FIRST_FAILURES` trials, or all trials of a smaller budget,
        have failed. Another search with the same study tries them again.
    """
    from optuna.pruners import SuccessiveHalvingPruner

    space = space or SearchSpace()
    families = list(classifiers.family_sets(data.families))
    if not study.trials:
        # Enqueue only as many as the budget allows. A trial that is enqueued again after a kill comes after all of
        # them.
        alone = list(classifiers.vector_sets(data.families))
        for choice in space.first_choices(families, alone)[: budget.trials]:
            study.enqueue_trial(dict(choice), skip_if_exists=True)
    enqueue_killed(study)
    plan = plan_validation(data, seed=seed)
    study.pruner = SuccessiveHalvingPruner(min_resource=1, reduction_factor=plan.reduction)
    running = _Search(
        data=data,
        study=study,
        budget=budget,
        kinds=space.kinds,
        families=families,
        plan=plan,
        ends_s=time.monotonic() + 60 * budget.minutes,
        workers=parallelism or _parallel_fits(data.tracks),
        seed=seed,
        say=say,
    )
    running.run()
    return best_trial(study)


@dataclass(frozen=True)
class _Search:
    """A search that is running in this process."""

    data: Dataset
    study: Study
    budget: Budget
    kinds: Sequence[str]
    families: Sequence[str]
    plan: ValidationPlan
    ends_s: float
    workers: int
    seed: int
    say: Say
    errors: list[Exception] = field(default_factory=list)

    @property
    def spent_trials(self) -> int:
        return len(ended_trials(self.study)) + len(self.errors)

    def run(self) -> None:
        """Run trials until the budget is spent and at least one trial is complete."""
        while self._within_budget() or not has_complete_trial(self.study):
            self._raise_if_all_failed()
            self.study.optimize(self._objective, n_trials=1, catch=Exception, callbacks=[self._report])

    def _within_budget(self) -> bool:
        return time.monotonic() < self.ends_s and self.spent_trials < self.budget.trials

    def _raise_if_all_failed(self) -> None:
        enough = len(self.errors) >= min(MAX_FIRST_FAILURES, self.budget.trials)
        if enough and not has_complete_trial(self.study):
            for trial in failed_trials(self.study)[-len(self.errors) :]:
                enqueue_again(self.study, trial)
            raise self.errors[-1]

    def _objective(self, trial: Trial) -> float:
        """Score a trial, and note its error if it fails."""
        import optuna

        try:
            return self._validate(trial)
        except optuna.TrialPruned:
            raise
        except Exception as error:  # errors of Spark, Java, NumPy, …
            self.errors.append(error)
            trial.set_user_attr("error", f"{type(error).__name__}: {error}".partition("\n")[0])
            raise

    def _validate(self, trial: Trial) -> float:
        """Validate the choice of a trial rung by rung, and return macro F1.

        Raises
        ------
        TrialPruned
            If the trial is poor, or its next rung would take too long.
        """
        choice = classifiers.suggest(trial, self.kinds, self.families)
        trial.set_user_attr("choice", choice)
        f1 = 0.0
        predictions: list[pd.DataFrame] = []
        for i, rung in enumerate(self.plan.rungs):
            began_s = time.monotonic()
            progress = f"Trial {self.spent_trials + 1} of {self.budget.trials}, step {i + 1} of at most"
            kind = classifiers.NAMES[choice["classifier"]]
            with step(f"{progress} {len(self.plan.rungs)}, {kind}", say=self.say):
                predicted = self._predict_folds(choice, rung)
            predictions = [*predictions, *predicted] if self.plan.pooled else predicted
            f1, temperature = _score(pd.concat(predictions), len(self.data.genres))
            trial.set_user_attr("temperature", temperature)
            trial.report(f1, self.plan.reduction**i)
            if i + 1 < len(self.plan.rungs):
                self._prune(trial, began_s)
        return f1

    def _predict_folds(self, choice: Choice, rung: Sequence[Fold]) -> list[pd.DataFrame]:
        """Fit a choice on each fold of a rung, several at a time, and return the predictions for each."""
        from pyspark import inheritable_thread_target

        @inheritable_thread_target(self.data.tracks.sparkSession)
        def predict(fold: Fold) -> pd.DataFrame:
            train, validation = fold
            return _predictions(fit(train, self.data, choice, seed=self.seed).transform(validation))

        with ThreadPoolExecutor(min(self.workers, len(rung))) as pool:
            return list(pool.map(predict, rung))

    def _prune(self, trial: Trial, began_s: float) -> None:
        """Prune a trial after a rung if it is poor, or if the next rung would take longer than the time left."""
        import optuna

        out_of_time = began_s + (1 + self.plan.growth) * (time.monotonic() - began_s) > self.ends_s
        poor = trial.should_prune()  # always called, because later trials are compared with what it records
        if (poor or out_of_time) and has_complete_trial(self.study):
            if not poor:
                trial.set_user_attr(OUT_OF_TIME, True)
            raise optuna.TrialPruned

    def _report(self, _: Study, trial: FrozenTrial) -> None:
        left_min = max(0.0, self.ends_s - time.monotonic()) / 60
        trials, minutes = self.budget.trials, self.budget.minutes
        self.say(
            f"Trial {self.spent_trials} of {trials}: {describe(trial)}. {left_min:.0f} of {minutes:g} min left."
        )


def _parallel_fits(tracks: DataFrame) -> int:
    """Return how many fits the cores can run at the same time. Each fit runs one task per partition."""
    return max(1, tracks.sparkSession.sparkContext.defaultParallelism // tracks.rdd.getNumPartitions())


def fit(tracks: DataFrame, data: Dataset, choice: Choice, *, seed: int) -> PipelineModel:
    """Fit the pipeline of a choice.

    Parameters
    ----------
    tracks : DataFrame
        The rows of `data` to fit on.
    data : Dataset
    choice : Choice
    seed : int

    Returns
    -------
    PipelineModel
        From ``features`` to ``rawPrediction`` and ``prediction``.
    """
    from pyspark.ml import Pipeline

    stages = classifiers.pipeline_stages(choice, data.families, len(data.genres), seed=seed)
    return Pipeline(stages=stages).fit(tracks)


def _predictions(predicted: DataFrame) -> pd.DataFrame:
    """Collect ``scores``, ``label`` and ``prediction`` on the driver."""
    from pyspark.ml.functions import vector_to_array

    scores = vector_to_array(predicted.rawPrediction).alias("scores")
    return predicted.select(scores, "label", "prediction").toPandas()


def _score(predictions: pd.DataFrame, n_genres: int) -> tuple[float, float]:
    """Compute macro F1, and the temperature that fits the scores."""
    from sklearn.metrics import f1_score

    from segue.genres.stages import fit_temperature

    truth = predictions["label"].to_numpy().astype(np.int64)
    predicted = predictions["prediction"].to_numpy().astype(np.int64)
    f1 = f1_score(truth, predicted, average="macro", zero_division=0)
    scores = np.array(predictions["scores"].to_list())
    # MLlib returns no scores for the last genres if it was fitted on no track of them. This happens in a sample,
    # if the genres are rare.
    missing = n_genres - scores.shape[1]
    return float(f1), fit_temperature(np.pad(scores, ((0, 0), (0, missing)), constant_values=scores.min()), truth)
