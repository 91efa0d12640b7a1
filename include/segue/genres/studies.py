"""Optuna studies: the trials of a search, stored in a database as soon as each trial ends."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

KEPT_STUDIES = 100
"""Number of studies kept for each DAG: about three months of nightly runs, as many as its reports."""

STARTUP_TRIALS = 10
"""Number of trials before TPE (Bergstra et al., 2011) starts to model. It includes the choices tried first."""

OUT_OF_TIME = "late"
"""User attribute of a trial that was good enough to continue but was pruned because the time was up."""


def open_study(storage: str | None, name: str, *, seed: int) -> Study:
    """Open or create a study, and delete the oldest studies of the same DAG.

    Parameters
    ----------
    storage : str or None
        SQLAlchemy URL of the database. None keeps the study in memory.
    name : str
        Name of the study, such as ``<dag_id>/<run_id>``. A search with an existing name continues that study.
    seed : int
        Seed of the sampler.

    Returns
    -------
    Study
        Its objective is maximised.
    """
    import optuna

    # The search reports a failed trial in one line; Optuna would print its whole traceback as a warning.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # TPE's `group` models the parameters of one classifier together. Optuna calls it experimental.
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, group=True),
    )
    if storage is not None:
        _delete_old_studies(storage, name)
    return study


def _delete_old_studies(storage: str, name: str) -> None:
    import optuna

    of_dag = name.partition("/")[0] + "/"
    oldest_first = [each for each in optuna.get_all_study_names(storage) if each.startswith(of_dag)]
    for old in oldest_first[:-KEPT_STUDIES]:
        if old != name:  # an old run that was cleared opens its own study again: keep it
            optuna.delete_study(study_name=old, storage=storage)


def ended_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials with a result: completed or pruned."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def best_trial(study: Study) -> FrozenTrial:
    """Return the trial with the best choice.

    It is the completed trial with the highest score. A trial that was pruned because the time was up wins if its
    score was higher at the same rung.

    Raises
    ------
    ValueError
        If no trial is complete.
    """
    found: FrozenTrial = study.best_trial
    for trial in ended_trials(study):
        if OUT_OF_TIME in trial.user_attrs:
            rung = min(max(trial.intermediate_values), max(found.intermediate_values))
            if trial.intermediate_values[rung] > found.intermediate_values[rung]:
                found = trial
    return found


def complete_trials(study: Study) -> list[FrozenTrial]:
    """Return the completed trials, the best first."""
    from optuna.trial import TrialState

    found = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(found, key=lambda trial: trial.value or 0.0, reverse=True)


def failed_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that ended with an error, but not those that a kill ended."""
    from optuna.trial import TrialState

    return [
        each for each in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)) if "error" in each.user_attrs
    ]


def has_complete_trial(study: Study) -> bool:
    """Check whether any trial is complete."""
    return bool(complete_trials(study))


def describe(trial: FrozenTrial) -> str:
    """Describe a trial in one line: its choice, its result and its duration."""
    choice = ", ".join(
        f"{name} {_short(value)}" for name, value in trial.user_attrs.get("choice", trial.params).items()
    )
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    if error := trial.user_attrs.get("error"):
        return f"{choice}: failed after {seconds:.1f} s with {error.rstrip('.')}"
    note = "" if trial.state.name == "COMPLETE" else ", pruned"
    if OUT_OF_TIME in trial.user_attrs:
        note = ", not completed because too little time is left"
    f1 = trial.intermediate_values[max(trial.intermediate_values)]
    return f"{choice}: macro F1 {f1:.3f} in validation{note}, {seconds:.1f} s"


def enqueue_again(study: Study, trial: FrozenTrial) -> None:
    """Enqueue the choice of a trial again, even if a kill ended the trial before it had all its parameters."""
    study.enqueue_trial({**trial.system_attrs.get("fixed_params", {}), **trial.params})


def enqueue_killed(study: Study) -> None:
    """Mark as failed the trials that were running when an earlier process was killed, and enqueue them again."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        enqueue_again(study, trial)
        study.tell(trial.number, state=TrialState.FAIL)


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
