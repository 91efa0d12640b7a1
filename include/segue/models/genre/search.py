"""The search for the best choice of classifier, scaling, features and parameters: Optuna's TPE with pruning.

The study is kept in a database, a row as soon as a trial ends. A search that is killed goes on where it was, and
spends what is left of its budget.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from segue.models.genre import classifiers
from segue.models.genre.classifiers import Choice
from segue.models.genre.labelled import Labelled
from segue.models.genre.validation import Fold, plan

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

STARTUP_TRIALS = 10
"""Trials by chance before TPE (Bergstra et al., 2011) begins to model; the first choices count."""

Say = Callable[[str], None]


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


def open_study(storage: str | None, name: str, *, seed: int) -> Study:
    """Open a study, or make it.

    Parameters
    ----------
    storage : str or None
        SQLAlchemy URL of the database; None keeps the study in memory only.
    name : str
        Of the study; a search with the same name goes on with it.
    seed : int
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # The parameters of one classifier are modelled together: TPE's `group`, which Optuna calls experimental.
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    return optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, group=True),
    )


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
        From `open_study`.
    budget : Budget
    kinds : sequence of str
        Classifiers to choose from.
    known : sequence of Choice
        Tried first: what was best in the past. After them comes each classifier with its defaults (after the
        third a closer kernel machine), and one that does not regularize.
    seed : int
        Of the folds and the classifiers.
    parallelism : int, optional
        Fits at the same time. Default: as many as the cores take, when each fit's tasks have taken theirs. It
        changes nothing but the time: trials still come one after the other, each learning from those before.
    say : callable
        Gets a line after each trial.

    Returns
    -------
    FrozenTrial
        That of the highest macro F1 in validation; its ``user_attrs`` are `choice` and the `temperature`
        that makes its scores probabilities.
    """
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
        _enqueue_again(study, trial)  # the process that ran it was killed
        study.tell(trial.number, state=TrialState.FAIL)
    planned = plan(data, seed=seed)
    study.pruner = SuccessiveHalvingPruner(min_resource=1, reduction_factor=planned.reduction)
    ends = time.monotonic() + 60 * budget.minutes
    workers = parallelism or _spare(data.tracks)

    def objective(trial: Trial) -> float:
        choice = classifiers.suggest(trial, kinds, families)
        trial.set_user_attr("choice", choice)

        @inheritable_thread_target(data.tracks.sparkSession)
        def answer(fold: Fold) -> pd.DataFrame:
            return _answers(fit(fold[0], data, choice, seed=seed).transform(fold[1]))

        f1 = 0.0
        answers: list[pd.DataFrame] = []
        for i, rung in enumerate(planned.rungs):
            began = time.monotonic()
            with ThreadPoolExecutor(min(workers, len(rung))) as pool:
                answered = list(pool.map(answer, rung))
            answers = [*answers, *answered] if planned.joined else answered
            f1, temperature = _judge(pd.concat(answers))
            trial.set_user_attr("temperature", temperature)
            trial.report(f1, planned.reduction**i)
            if i + 1 < len(planned.rungs):
                late = began + (1 + planned.growth) * (time.monotonic() - began) > ends
                poor = trial.should_prune()  # asked in any case: it notes what later trials are compared with
                if (poor or late) and _finished(study):
                    import optuna

                    raise optuna.TrialPruned
        return f1

    def tell(_: Study, trial: FrozenTrial) -> None:
        say(f"{len(done(study))}/{budget.trials} {line_of(trial)}")

    while (time.monotonic() < ends and len(done(study)) < budget.trials) or not _finished(study):
        study.optimize(objective, n_trials=1, callbacks=[tell])
    return study.best_trial


def done(study: Study) -> list[FrozenTrial]:
    """List the trials that have ended with a result."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _finished(study: Study) -> bool:
    from optuna.trial import TrialState

    return bool(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _enqueue_again(study: Study, trial: FrozenTrial) -> None:
    """Let a trial be repeated, one too that was killed before it had asked for all of its parameters."""
    study.enqueue_trial({**trial.system_attrs.get("fixed_params", {}), **trial.params})


def _spare(tracks: DataFrame) -> int:
    """Tell how many fits the cores take at the same time; each has a task a partition."""
    return max(1, tracks.sparkSession.sparkContext.defaultParallelism // tracks.rdd.getNumPartitions())


def line_of(trial: FrozenTrial) -> str:
    """Tell a trial in one line: its choice, what came of it and how long it took."""
    choice = ", ".join(f"{name} {_short(value)}" for name, value in trial.user_attrs["choice"].items())
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    share = "" if trial.state.name == "COMPLETE" else ", given up early"
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


def _judge(answers: pd.DataFrame) -> tuple[float, float]:
    """Measure macro F1, and the temperature that the scores ask for."""
    from sklearn.metrics import f1_score

    from segue.models.genre.stages import fit_temperature

    truth = answers["label"].to_numpy().astype(np.int64)
    f1 = f1_score(truth, answers["prediction"].to_numpy().astype(np.int64), average="macro", zero_division=0)
    return float(f1), fit_temperature(np.array(answers["scores"].to_list()), truth)


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
