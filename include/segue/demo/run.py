"""The demo: run a corpus through the DAGs, as a user would in the Airflow UI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from segue.connections import kafka, offsets
from segue.console import PlainColumn
from segue.corpus.listing import list_audio
from segue.corpus.reports import CorpusSummary
from segue.demo import listeners, sample
from segue.demo.airflow_api import AirflowApi
from segue.demo.answer import seconds_to_answer
from segue.demo.watch import LINE_EVERY_S, follow, wait_for_dags, wait_until_deferred
from segue.errors import SegueError
from segue.overview.dags import DAGS
from segue.patience import Pace
from segue.runs import summaries
from segue.stack import airflow, lifecycle

if TYPE_CHECKING:
    from segue.console import PlainConsole
    from segue.settings import Settings

CORPUS = "corpus"
RECOMMENDER = "recommender"
GENRE_MODEL = "genre_model"
TRAINING: dict[str, dict[str, Any]] = {GENRE_MODEL: {"trials": 3}, RECOMMENDER: {}}
"""DAGs that train, in this order, with their params. A search with three trials is short but not good."""
RETRAINING = "incremental_retraining"
ANSWER = "live recommendations"
MIN_LISTENERS, MAX_LISTENERS = 200, 2_000
TRACKS_EACH = 50
"""Number of tracks for each listener."""
PAST_LISTENS_EACH = 60
PAST_DAYS = 60
NEW_LISTENS = 500
SEED = 2026
NOBODY = (
    "Nobody has listened to this music yet, so there is nothing to recommend from. Connect a player, or import a "
    "history with `segue import`. With `segue demo --simulate`, simulated listeners take part."
)

Say = Callable[[str], None]


@dataclass
class Outcome:
    """The result of the demo.

    Attributes
    ----------
    runs : dict of str to str
        Run id of each DAG.
    failures : dict of str to str
        Error message of each failed DAG, or of `ANSWER`.
    answered_s : float or None
        Seconds from a listen to the new recommendations.
    seconds : float
        Duration of the whole demo.
    login : segue.stack.airflow.Login or None
        Login of the Airflow that ran the DAGs, if it is not the embedded one.
    """

    runs: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    answered_s: float | None = None
    seconds: float = 0.0
    login: airflow.Login | None = None


def run(
    settings: Settings,
    console: PlainConsole,
    *,
    pieces: int,
    simulate: bool,
    elsewhere: airflow.Login | None = None,
) -> Outcome:
    """Start the stack and run up to four DAGs one after the other. At the end, no DAG is paused.

    Parameters
    ----------
    settings : Settings
        `Settings.music` is the user's folder, or None for the sample corpus.
    console : segue.console.PlainConsole
        Console to print to.
    pieces : int
        Size of the sample corpus. Ignored for a user's own music.
    simulate : bool
        Simulate listeners. Without them, the recommender is trained only if there are listens already, and no new
        listens are waited for.
    elsewhere : segue.stack.airflow.Login, optional
        An Airflow that runs already, as in containers. No stack is started then.

    Returns
    -------
    Outcome
        If one model cannot be trained, the others are still trained.

    Raises
    ------
    SegueError
        If there is no music, the stack does not start, or the corpus cannot be processed.
    """
    began = time.monotonic()
    if settings.music is not None:
        console.print(f"{len(list_audio(settings.music_dir).files):,} audio files in {settings.music_dir}.")
    login = elsewhere or _start_stack(settings, console, pieces)

    outcome = Outcome(login=elsewhere)
    with AirflowApi(login.url, login.username, login.password) as api:
        wait_for_dags(api, set(DAGS))
        outcome.runs[CORPUS] = _start(api, CORPUS, {})
        follow(api, CORPUS, outcome.runs[CORPUS], console)
        if simulate:
            _run_with_listeners(settings, api, outcome, console)
        else:
            _run_without_listeners(settings, api, outcome, console)
        for dag_id in api.paused():
            api.set_paused(dag_id, paused=False)
    outcome.seconds = time.monotonic() - began
    return outcome


def _start_stack(settings: Settings, console: PlainConsole, pieces: int) -> airflow.Login:
    """Start the embedded stack, and render the sample corpus meanwhile if the user has named no music."""

    def say(sentence: str) -> None:
        console.print(sentence)

    with ThreadPoolExecutor(1) as pool:
        services = pool.submit(lifecycle.up, settings, say=say)
        if settings.music is None:
            _render_sample(settings, console, pieces, services)
        services.result()
    login = airflow.login(settings)
    say(f"Airflow is at {login.url}, login {login.username} / {login.password}")
    return login


def _run_with_listeners(settings: Settings, api: AirflowApi, outcome: Outcome, console: PlainConsole) -> None:
    """Train both models from the listens of simulated listeners, and retrain when they have listened again."""
    say: Say = console.print
    people = crowd(_tracks(outcome.runs[CORPUS]))
    say(f"Simulating {people:,} listeners of this music.")
    audience = listeners.audience_of(settings, listeners=people, seed=SEED)
    _send_past_listens(settings, audience, say)
    _train(TRAINING, api, outcome, console)
    with _noted(RETRAINING, outcome, say):
        api.set_paused(RETRAINING, paused=False)
        outcome.runs[RETRAINING] = wait_until_deferred(api, RETRAINING)
        _send_new_listens(settings, audience, say)
        follow(api, RETRAINING, outcome.runs[RETRAINING], console)
    if RECOMMENDER not in outcome.failures:
        with _noted(ANSWER, outcome, say):
            outcome.answered_s = seconds_to_answer(settings, audience)


def _run_without_listeners(settings: Settings, api: AirflowApi, outcome: Outcome, console: PlainConsole) -> None:
    """Train the genre model, and the recommender if somebody has listened."""
    if offsets.whole_topic(kafka.config(settings), settings.listens_topic).size:
        _train(TRAINING, api, outcome, console)
    else:
        console.print(NOBODY)
        _train({GENRE_MODEL: TRAINING[GENRE_MODEL]}, api, outcome, console)


def _train(dags: dict[str, dict[str, Any]], api: AirflowApi, outcome: Outcome, console: PlainConsole) -> None:
    outcome.runs |= {dag_id: _start(api, dag_id, params) for dag_id, params in dags.items()}
    for dag_id in dags:
        with _noted(dag_id, outcome, console.print):
            follow(api, dag_id, outcome.runs[dag_id], console)


def _start(api: AirflowApi, dag_id: str, params: dict[str, Any]) -> str:
    run_id = api.trigger(dag_id, params)
    api.set_paused(dag_id, paused=False)
    return run_id


@contextmanager
def _noted(name: str, outcome: Outcome, say: Say) -> Iterator[None]:
    """Record an error and continue."""
    try:
        yield
    except SegueError as error:
        outcome.failures[name] = str(error)
        say(str(error))


def crowd(tracks: int) -> int:
    """Choose the number of listeners. With too few listeners, most tracks of a large corpus would never be played.

    Examples
    --------
    >>> [crowd(tracks) for tracks in (240, 20_000, 106_574)]
    [200, 400, 2000]
    """
    return max(MIN_LISTENERS, min(tracks // TRACKS_EACH, MAX_LISTENERS))


def _tracks(run_id: str) -> int:
    """Return the number of tracks in the collection after a run of the corpus."""
    return summaries.require(f"{CORPUS}/{run_id}", CorpusSummary).tracks_in_collection


def _render_sample(settings: Settings, console: PlainConsole, pieces: int, services: Future[None]) -> None:
    """Render the music while the services start. If they do not start, stop at once."""
    columns = PlainColumn("Rendering the sample corpus"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar, pace = progress.add_task("", total=None, visible=False), Pace(LINE_EVERY_S)

        def show(done: int, total: int) -> None:
            if services.done():
                services.result()
            progress.update(bar, completed=done, total=total, visible=True)
            if not console.is_terminal and pace.is_due():
                console.print(f"Rendering the sample corpus: {done:,} of {total:,} files")

        made = sample.render(Path(str(settings.music_dir)), pieces=pieces, progress=show)
    action = f"Rendered {made.rendered} files in {made.seconds:.0f} s" if made.rendered else "Found"
    console.print(f"{action}: {made.pieces} pieces of {len(made.genres)} genres in {made.music_dir}")


def _send_past_listens(settings: Settings, audience: listeners.Audience, say: Say) -> None:
    if offsets.whole_topic(kafka.config(settings), settings.listens_topic).size:
        return
    now = datetime.now(UTC)
    people = len(audience.listeners)
    past = audience.play(
        events=PAST_LISTENS_EACH * people, start=now - timedelta(days=PAST_DAYS), end=now - timedelta(hours=1)
    )
    sent = listeners.produce(settings, past)
    say(f"Sent {sent:,} simulated listens of {people:,} listeners to the Kafka topic {settings.listens_topic!r}.")
    say(f"One of them: {audience.listeners[0]}.")


def _send_new_listens(settings: Settings, audience: listeners.Audience, say: Say) -> None:
    now = datetime.now(UTC)
    sent = listeners.produce(settings, audience.play(events=NEW_LISTENS, start=now - timedelta(hours=1), end=now))
    say(f"Sent {sent:,} new listens: the Kafka sensor of {RETRAINING} should wake up.")
