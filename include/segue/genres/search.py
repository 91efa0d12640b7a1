"""The search for the best choice of classifier, scaling, features and parameters: Optuna's TPE with pruning.

A search that is killed goes on where it was, and
spends what is left of its budget.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from segue.genres import classifiers
from segue.genres.classifiers import Choice
from segue.genres.labelled import Labelled
from segue.genres.studies import LATE, best, done, enqueue_again, failed, is_finished
from segue.genres.validation import Fold, plan
from segue.runs.progress import Say, step

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

MOST_FAILURES = 3
"""Trials that may fail before one has been finished; then it is not the choice that is wrong."""


@dataclass(frozen=True)
class Budget:
    """When a search ends: whichever comes first.

    Parameters
    ----------
    trials : int
        Of the study in all, finished or pruned, those before a kill included; and those that have failed in this
        process.
    minutes : float
        Of this process. A trial that has begun is finished, unless what it has still to do would take longer than
        what is left.

    However little it is, trials are made until one is finished: none is given up before.
    """

    trials: int
    minutes: float


def search(
    data: Labelled,
    study: Study,
    budget: Budget,
    *,
    kinds: Sequence[str] = classifiers.FAST,
    known: Sequence[Choice] = (),
    seed: int = 0,
    parallelism: int | None = None,
    say: Say = print,
) -> FrozenTrial:
    """Try choices until the budget is spent.

    Parameters
    ----------
    data : Labelled
    study : Study
        From `segue.genres.studies.open_study`.
    budget : Budget
    kinds : sequence of str
        Classifiers to choose from.
    known : sequence of Choice
        Tried first: what was best in the past. After them comes each classifier with its defaults (after the
        third a closer kernel machine), and one that does not regularize.
    seed : int
        Of the folds and the classifiers.
    parallelism : int, optional
        Fits at the same time. Default: as many as the cores take, when each fit's tasks have taken theirs. Never
        more than a rung has folds, which are two (`segue.genres.validation`); without folds there is one
        fit at a time. It changes nothing but the time: trials come one after the other, each learning from those
        before.
    say : callable
        Gets a line after each trial.

    A trial that raises an error has failed, counts against the budget, and the next one comes.

    Returns
    -------
    FrozenTrial
        That of the highest macro F1 in validation, see `segue.genres.studies.best`. Its ``user_attrs`` are
        `choice` and the `temperature` that makes its scores probabilities.

    Raises
    ------
    Exception
        That of the last trial, if the first `MOST_FAILURES`, or all of a smaller budget, have failed. A search
        with the same name tries them again.
    """
    import optuna
    from optuna.pruners import SuccessiveHalvingPruner
    from optuna.trial import TrialState
    from pyspark import inheritable_thread_target

    families = list(classifiers.family_sets(data.families))
    if not study.trials:
        first = [*known, *map(classifiers.default, kinds), classifiers.FREE]
        first.insert(len(known) + 3, classifiers.KERNEL)
        first = [each for each in first if each["classifier"] in kinds and each["families"] in families]
        # No more than will be tried: what is enqueued again after a kill would come after all of them.
        for choice in first[: budget.trials]:
            study.enqueue_trial(dict(choice), skip_if_exists=True)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        enqueue_again(study, trial)  # the process that ran it was killed
        study.tell(trial.number, state=TrialState.FAIL)
    planned = plan(data, seed=seed)
    study.pruner = SuccessiveHalvingPruner(min_resource=1, reduction_factor=planned.reduction)
    ends = time.monotonic() + 60 * budget.minutes
    workers = parallelism or _spare(data.tracks)
    errors: list[Exception] = []

    def objective(trial: Trial) -> float:
        try:
            return attempt(trial)
        except optuna.TrialPruned:
            raise
        except Exception as error:  # of whatever kind: Spark's, Java's or NumPy's
            errors.append(error)
            trial.set_user_attr("error", f"{type(error).__name__}: {error}".partition("\n")[0])
            raise

    def attempt(trial: Trial) -> float:
        choice = classifiers.suggest(trial, kinds, families)
        trial.set_user_attr("choice", choice)

        @inheritable_thread_target(data.tracks.sparkSession)
        def answer(fold: Fold) -> pd.DataFrame:
            return _answers(fit(fold[0], data, choice, seed=seed).transform(fold[1]))

        f1 = 0.0
        answers: list[pd.DataFrame] = []
        for i, rung in enumerate(planned.rungs):
            began = time.monotonic()
            what = f"Trial {spent() + 1} of {budget.trials}, step {i + 1} of at most {len(planned.rungs)}"
            kind = classifiers.NAMES[choice["classifier"]]
            with step(f"{what}, {kind}", say=say), ThreadPoolExecutor(min(workers, len(rung))) as pool:
                answered = list(pool.map(answer, rung))
            answers = [*answers, *answered] if planned.joined else answered
            f1, temperature = _judge(pd.concat(answers), len(data.genres))
            trial.set_user_attr("temperature", temperature)
            trial.report(f1, planned.reduction**i)
            if i + 1 < len(planned.rungs):
                late = began + (1 + planned.growth) * (time.monotonic() - began) > ends
                poor = trial.should_prune()  # asked in any case: it notes what later trials are compared with
                if (poor or late) and is_finished(study):
                    if not poor:
                        trial.set_user_attr(LATE, True)
                    raise optuna.TrialPruned
        return f1

    def spent() -> int:
        return len(done(study)) + len(errors)

    def tell(_: Study, trial: FrozenTrial) -> None:
        left = max(0.0, ends - time.monotonic()) / 60
        say(f"Trial {spent()} of {budget.trials}: {line_of(trial)}. {left:.0f} of {budget.minutes:g} min left.")

    while (time.monotonic() < ends and spent() < budget.trials) or not is_finished(study):
        if len(errors) >= min(MOST_FAILURES, budget.trials) and not is_finished(study):
            for trial in failed(study)[-len(errors) :]:
                enqueue_again(study, trial)
            raise errors[-1]
        study.optimize(objective, n_trials=1, catch=Exception, callbacks=[tell])
    return best(study)


def _spare(tracks: DataFrame) -> int:
    """Tell how many fits the cores take at the same time; each has a task a partition."""
    return max(1, tracks.sparkSession.sparkContext.defaultParallelism // tracks.rdd.getNumPartitions())


def line_of(trial: FrozenTrial) -> str:
    """Tell a trial in one line: its choice, what came of it and how long it took."""
    choice = ", ".join(
        f"{name} {_short(value)}" for name, value in trial.user_attrs.get("choice", trial.params).items()
    )
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    if error := trial.user_attrs.get("error"):
        return f"{choice}: failed after {seconds:.1f} s with {error.rstrip('.')}"
    share = "" if trial.state.name == "COMPLETE" else ", given up early"
    if LATE in trial.user_attrs:
        share = ", not finished as too little time is left"
    last = trial.intermediate_values[max(trial.intermediate_values)]
    return f"{choice}: macro F1 {last:.3f} in validation{share}, {seconds:.1f} s"


def fit(tracks: DataFrame, data: Labelled, choice: Choice, *, seed: int) -> PipelineModel:
    """Fit the pipeline of a choice on some of the tracks."""
    from pyspark.ml import Pipeline

    return Pipeline(stages=classifiers.build(choice, data.families, len(data.genres), seed=seed)).fit(tracks)


def _answers(answered: DataFrame) -> pd.DataFrame:
    from pyspark.ml.functions import vector_to_array

    scores = vector_to_array(answered.rawPrediction).alias("scores")
    return answered.select(scores, "label", "prediction").toPandas()


def _judge(answers: pd.DataFrame, n_genres: int) -> tuple[float, float]:
    """Measure macro F1, and the temperature that the scores ask for."""
    from sklearn.metrics import f1_score

    from segue.genres.stages import fit_temperature

    truth = answers["label"].to_numpy().astype(np.int64)
    f1 = f1_score(truth, answers["prediction"].to_numpy().astype(np.int64), average="macro", zero_division=0)
    scores = np.array(answers["scores"].to_list())
    # MLlib gives no score to the last genres if no track of them was learned from, as in a sample of a long tail.
    unknown = n_genres - scores.shape[1]
    return float(f1), fit_temperature(np.pad(scores, ((0, 0), (0, unknown)), constant_values=scores.min()), truth)


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
