"""Optuna's studies: a search's trials, kept in a database, a row as soon as a trial ends."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

KEPT = 100
"""Studies of a DAG that stay: three months of nights, as of its reports."""

STARTUP_TRIALS = 10
"""Trials by chance before TPE (Bergstra et al., 2011) begins to model; the first choices count."""

LATE = "late"
"""Attribute of a trial that was good enough to go on, but for which the time was up."""


def open_study(storage: str | None, name: str, *, seed: int) -> Study:
    """Open a study, or make it, and delete those of its DAG that are too old.

    Parameters
    ----------
    storage : str or None
        SQLAlchemy URL of the database; None keeps the study in memory only.
    name : str
        Of the study, such as ``<dag_id>/<run_id>``; a search with the same name goes on with it.
    seed : int
    """
    import optuna

    # Of a trial that fails, `line_of` tells the error; Optuna would print its whole traceback as a warning.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # The parameters of one classifier are modelled together: TPE's `group`, which Optuna calls experimental.
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, group=True),
    )
    if storage is not None:
        _forget_old(storage, name)
    return study


def _forget_old(storage: str, name: str) -> None:
    import optuna

    of_dag = name.partition("/")[0] + "/"
    names = [each for each in optuna.get_all_study_names(storage) if each.startswith(of_dag)]  # the oldest first
    for old in names[:-KEPT]:
        if old != name:  # a run of long ago that was cleared
            optuna.delete_study(study_name=old, storage=storage)


def done(study: Study) -> list[FrozenTrial]:
    """List the trials that have ended with a result."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def best(study: Study) -> FrozenTrial:
    """Find the trial of the best choice.

    It is the finished trial of the highest score, unless a trial for which the time was up had done better by then
    at the same rung.

    Raises
    ------
    ValueError
        If no trial is finished.
    """
    found: FrozenTrial = study.best_trial
    for trial in done(study):
        if LATE in trial.user_attrs:
            rung = min(max(trial.intermediate_values), max(found.intermediate_values))
            if trial.intermediate_values[rung] > found.intermediate_values[rung]:
                found = trial
    return found


def failed(study: Study) -> list[FrozenTrial]:
    """List the trials that have ended with an error; those that a kill ended are none."""
    from optuna.trial import TrialState

    return [
        each for each in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)) if "error" in each.user_attrs
    ]


def is_finished(study: Study) -> bool:
    """Tell whether there is a best trial."""
    from optuna.trial import TrialState

    return bool(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def enqueue_again(study: Study, trial: FrozenTrial) -> None:
    """Let a trial be repeated, one too that was killed before it had asked for all of its parameters."""
    study.enqueue_trial({**trial.system_attrs.get("fixed_params", {}), **trial.params})
