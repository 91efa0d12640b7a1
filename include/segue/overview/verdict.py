"""The sentence with which the overview begins, and its colour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from segue.disk import LOW_BYTES
from segue.overview.corpus import Corpus, DayState
from segue.overview.dags import Schedule
from segue.overview.state import Problem, State
from segue.runs.html import Tone

STALE = timedelta(days=1)
"""If no listen has come for so long, the overview says so."""


def verdict(state: State, schedule: Schedule) -> tuple[str, Tone]:
    """Say how things are, the worst first.

    Parameters
    ----------
    state : State
    schedule : Schedule

    Returns
    -------
    tuple of (str, Tone)
        One to a few sentences. They are *bad* if something has failed or does not answer, *warn* if something
        waits for the operator, and *good* otherwise.
    """
    bad = [f"{name.capitalize()}: {sentence}" for name, sentence in state.problems()]
    warn: list[str] = []
    good: list[str] = []
    if not isinstance(state.storage, Problem) and state.storage.free_bytes < LOW_BYTES:
        bad.append(f"The disk is almost full ({state.storage.free_bytes / 1e6:,.0f} MB are free).")
    failed = [dag.dag_id for dag in schedule.dags if dag.outcome == "failed"]
    if failed:
        bad.append(f"The last run of {_listed(failed)} failed.")
    if not isinstance(state.corpus, Problem):
        told, tone = _corpus(state.corpus)
        {"bad": bad, "warn": warn, "good": good}[tone].insert(0, told)
    paused = [dag.dag_id for dag in schedule.dags if dag.paused]
    if paused:
        verb, them = ("is", "it") if len(paused) == 1 else ("are", "them")
        warn.append(f"{_listed(paused)} {verb} paused: switch {them} on in the list of DAGs.")
    if not isinstance(state.listens, Problem):
        if state.listens.dead_letters:
            warn.append(f"{_counted(state.listens.dead_letters, 'dead letter')}: see `segue dlq list`.")
        newest = state.listens.sample.newest
        if newest and state.at - newest > STALE:
            warn.append(f"No listen has come since {newest:%Y-%m-%d %H:%M} UTC.")
    tone_of_all: Tone = "bad" if bad else "warn" if warn else "good"
    return " ".join([*bad, *warn, *good]), tone_of_all


def _corpus(corpus: Corpus) -> tuple[str, Tone]:
    if not corpus.files:
        return "The corpus is empty: run the DAG corpus.", "warn"
    waiting, held = (corpus.in_state(state) for state in (DayState.WAITING, DayState.QUARANTINED))
    published = corpus.in_state(DayState.PUBLISHED)
    if waiting:
        newest = f" ({waiting[0]})" if len(waiting) == 1 else f" (the newest is {waiting[0]})"
        said = f"{_counted(len(waiting), 'day')} {'is' if len(waiting) == 1 else 'are'} not published yet{newest}"
    elif published:
        said = f"Everything is published up to {published[0]}"
    else:
        said = "Nothing is published"
    rejects = sum(corpus.rejected.values())
    parts = []
    if rejects:
        parts.append(f"{_counted(rejects, 'file')} {'was' if rejects == 1 else 'were'} rejected")
    if held:
        parts.append(f"{_counted(len(held), 'day')} {'is' if len(held) == 1 else 'are'} quarantined")
    tone: Tone = "bad" if held or not (published or waiting) else "warn" if rejects or waiting else "good"
    return f"{said}; {', '.join(parts)}." if parts else f"{said}.", tone


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
