"""The sentence with which the overview begins, and its colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from segue.disk import LOW_BYTES
from segue.overview.corpus import Corpus, DayState
from segue.overview.dags import Schedule
from segue.overview.listens import Listens
from segue.overview.state import Problem, State
from segue.runs.html import Tone

STALE = timedelta(days=1)
"""If no listen has come for so long, the overview says so."""


@dataclass(frozen=True)
class Finding:
    """One thing that the operator should know.

    Attributes
    ----------
    kind : str
        What it is about, such as ``dead letters``. A state has one finding of a kind.
    sentence : str
    tone : Tone
        *bad* if something has failed or does not answer, *warn* if something waits for the operator, or *good*.
    size : int
        What it counts. A finding that has grown is news.
    alert : bool
        Whether people are told even if they do not look.
    """

    kind: str
    sentence: str
    tone: Tone
    size: int = 1
    alert: bool = False


def verdict(state: State, schedule: Schedule) -> tuple[str, Tone]:
    """Say how things are, the worst first.

    Parameters
    ----------
    state : State
    schedule : Schedule

    Returns
    -------
    tuple of (str, Tone)
        One to a few sentences, and the worst of their tones.
    """
    tones: list[Tone] = ["bad", "warn", "good"]
    found = sorted(findings(state, schedule), key=lambda each: tones.index(each.tone))
    return " ".join(each.sentence for each in found), found[0].tone if found else "good"


def findings(state: State, schedule: Schedule) -> list[Finding]:
    """List what the operator should know.

    Parameters
    ----------
    state : State
    schedule : Schedule
        Without DAGs, if Airflow's database cannot be read.
    """
    found = [] if isinstance(state.corpus, Problem) else [_corpus(state.corpus)]
    for name, sentence in state.problems():
        found.append(Finding(name, f"{name.capitalize()}: {sentence}", "bad", alert=True))
    if not isinstance(state.storage, Problem) and state.storage.free_bytes < LOW_BYTES:
        sentence = f"The disk is almost full ({state.storage.free_bytes / 1e6:,.0f} MB are free)."
        found.append(Finding("disk", sentence, "bad", alert=True))
    if failed := [dag.dag_id for dag in schedule.dags if dag.outcome == "failed"]:
        found.append(Finding("failed runs", f"The last run of {_listed(failed)} failed.", "bad"))
    if paused := [dag.dag_id for dag in schedule.dags if dag.paused]:
        verb, them = ("is", "it") if len(paused) == 1 else ("are", "them")
        sentence = f"{_listed(paused)} {verb} paused: switch {them} on in the list of DAGs."
        found.append(Finding("paused DAGs", sentence, "warn"))
    if not isinstance(state.listens, Problem):
        found += _listens(state.listens, state.at)
    return found


def _listens(listens: Listens, now: datetime) -> Iterator[Finding]:
    if listens.losses:
        sentence, lost = " ".join(loss.sentence for loss in listens.losses), sum(x.count for x in listens.losses)
        yield Finding("losses", sentence, "bad", max(lost, 1), alert=True)
    if number := listens.dead_letters:
        sentence = f"{_counted(number, 'dead letter')}: see `segue dlq list`."
        yield Finding("dead letters", sentence, "warn", number, alert=True)
    newest = listens.sample.newest
    if newest and now - newest > STALE:
        sentence = f"No listen has come since {newest:%Y-%m-%d %H:%M} UTC."
        yield Finding("stale listens", sentence, "warn", alert=True)


def _corpus(corpus: Corpus) -> Finding:
    if not corpus.files:
        return Finding("corpus", "The corpus is empty: run the DAG corpus.", "warn")
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
    sentence = f"{said}; {', '.join(parts)}." if parts else f"{said}."
    return Finding("corpus", sentence, tone, max(len(held), 1), alert=tone == "bad")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
