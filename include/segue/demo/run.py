"""The demo: a corpus goes through every DAG, started as a user would start it in the Airflow UI."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from segue.corpus.listing import list_audio
from segue.demo import listeners, sample
from segue.demo.airflow_api import AirflowApi
from segue.demo.watch import follow, wait_for_dags, wait_until_deferred
from segue.errors import SegueError
from segue.stack import airflow, lifecycle
from segue.streaming import broker

if TYPE_CHECKING:
    from rich.console import Console

    from segue.settings import Settings

CORPUS = "corpus"
TRAINING: dict[str, dict[str, Any]] = {"genre_model": {"trials": 3}, "recommender": {}}
"""Trained one after the other, with these params; a search of three trials is short, not good."""
RETRAINING = "incremental_retraining"
LISTENERS = 200
PAST_LISTENS = 12_000
PAST_DAYS = 60
NEW_LISTENS = 500
SEED = 2026

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What the demo has done: run id by DAG, and the sentence of each DAG that failed."""

    runs: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def run(settings: Settings, console: Console, *, pieces: int) -> Outcome:
    """Bring everything up and run the four DAGs one after the other.

    Parameters
    ----------
    settings : Settings
        Where the music is: a folder of the user's, or none for the sample corpus.
    console : rich.console.Console
        Where to show what happens.
    pieces : int
        Size of the sample corpus; of no meaning for a user's own music.

    Returns
    -------
    Outcome
        A model that cannot be trained does not keep the others from being trained.

    Raises
    ------
    SegueError
        If there is no music, the stack does not start, or the corpus cannot be processed.
    """
    began = time.monotonic()

    def say(sentence: str) -> None:
        console.print(sentence, highlight=False, markup=False)

    if settings.music is None:
        _render_sample(settings, console, pieces)
    else:
        say(f"{len(list_audio(settings.music_dir)):,} audio files in {settings.music_dir}.")
    lifecycle.up(settings, say=say)
    login = airflow.login(settings)
    say(f"Airflow is at {login.url}, login {login.username} / {login.password}")

    outcome = Outcome()
    with AirflowApi(login.url, login.username, login.password) as api:
        wait_for_dags(api, {CORPUS, *TRAINING, RETRAINING})
        outcome.runs[CORPUS] = _start(api, CORPUS, {})
        follow(api, CORPUS, outcome.runs[CORPUS], console)
        audience = listeners.audience_of(settings, listeners=LISTENERS, seed=SEED)
        _send_past_listens(settings, audience, say)
        outcome.runs |= {dag_id: _start(api, dag_id, params) for dag_id, params in TRAINING.items()}
        for dag_id in TRAINING:
            _follow_model(api, dag_id, outcome, console, say)
        api.set_paused(RETRAINING, paused=False)
        outcome.runs[RETRAINING] = wait_until_deferred(api, RETRAINING)
        _send_new_listens(settings, audience, say)
        _follow_model(api, RETRAINING, outcome, console, say)
    outcome.seconds = time.monotonic() - began
    return outcome


def _start(api: AirflowApi, dag_id: str, params: dict[str, Any]) -> str:
    run_id = api.trigger(dag_id, params)
    api.set_paused(dag_id, paused=False)
    return run_id


def _follow_model(api: AirflowApi, dag_id: str, outcome: Outcome, console: Console, say: Say) -> None:
    try:
        follow(api, dag_id, outcome.runs[dag_id], console)
    except SegueError as error:
        outcome.failures[dag_id] = str(error)
        say(str(error))


def _render_sample(settings: Settings, console: Console, pieces: int) -> None:
    columns = TextColumn("Rendering the sample corpus"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None, visible=False)

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total, visible=True)

        made = sample.render(Path(str(settings.music_dir)), pieces=pieces, progress=show)
    action = f"Rendered {made.rendered} files in {made.seconds:.0f} s" if made.rendered else "Found"
    console.print(
        f"{action}: {made.pieces} pieces of {len(made.genres)} genres in {made.music_dir}", highlight=False
    )


def _send_past_listens(settings: Settings, audience: listeners.Audience, say: Say) -> None:
    if broker.whole_topic({"bootstrap_servers": settings.kafka_bootstrap}, settings.listens_topic).size:
        return
    now = datetime.now(UTC)
    past = audience.play(events=PAST_LISTENS, start=now - timedelta(days=PAST_DAYS), end=now - timedelta(hours=1))
    sent = listeners.produce(settings, past)
    say(f"Sent {sent:,} simulated listens of {LISTENERS} listeners to the Kafka topic {settings.listens_topic!r}.")
    say(f"One of them: {audience.listeners[0]}.")


def _send_new_listens(settings: Settings, audience: listeners.Audience, say: Say) -> None:
    now = datetime.now(UTC)
    sent = listeners.produce(settings, audience.play(events=NEW_LISTENS, start=now - timedelta(hours=1), end=now))
    say(f"Sent {sent:,} new listens: the Kafka sensor of {RETRAINING} should wake up.")
