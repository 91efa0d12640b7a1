"""The whole chain through Airflow's REST API, from the first run of the corpus to a night's DAGs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import psutil
from clips import Recipe, write
from pymongo.database import Database
from rich.console import Console
from sampling import Sampler

from segue.api.accounts import Accounts
from segue.connections import offsets
from segue.connections.kafka import config as kafka_config
from segue.demo import listeners
from segue.demo.airflow_api import AirflowApi
from segue.demo.watch import STILL_S, follow, minutes, wait_until_deferred
from segue.errors import SegueError, StackError
from segue.listens.events import Listen
from segue.listens.follower import GROUP as STORE_GROUP
from segue.patience import Patience
from segue.settings import Settings

NEW_FILES = 10
NEW_LISTENS = 500
PAST_DAYS = 60
POLL_S = 2

Doc = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Parameters
    ----------
    tracks, listens, listeners : int
    genre, recommender : dict
        Params of the trainings; empty means the nightly params.
    """

    tracks: int
    listens: int
    listeners: int
    genre: Doc
    recommender: Doc


@dataclass
class Progress:
    """The steps done in a home, stored in a file so that a run can be continued.

    Attributes
    ----------
    ports : dict of str to int
        Port by name of the setting.
    done : dict of str to float
        Duration of each step in seconds.
    runs : list of dict
        Each DAG run: ``step``, ``dag_id``, ``run_id`` and ``tasks``, by id their ``state`` and ``seconds``.
    failures : dict of str to str
        A sentence for each step that failed.
    rejected : dict of str to int
        Damaged files by the reason of their rejection.
    sent : int
        Number of listens sent.
    listeners : list of str
        Names of the users who sent them.
    """

    ports: dict[str, int] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)
    runs: list[Doc] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    listeners: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path) -> Progress:
        """Read the file, if there is one."""
        return cls(**json.loads(file.read_text())) if file.exists() else cls()

    def save(self, file: Path) -> None:
        """Write the file."""
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1))
        new.replace(file)


class Chain:
    """The steps, each once, in the order of :attr:`STEPS`."""

    STEPS = ("corpus", "listens", "lake", "genre_model", "recommender", "retraining", "live", "again", "night")

    def __init__(
        self,
        settings: Settings,
        recipe: Recipe,
        size: Size,
        progress: Progress,
        api: AirflowApi,
        database: Database[Doc],
        console: Console,
    ) -> None:
        self._settings = settings
        self._recipe = recipe
        self._size = size
        self._progress = progress
        self._api = api
        self._database = database
        self._console = console
        self._step = ""

    def run(self, step: str) -> None:
        """Do one step.

        Raises
        ------
        SegueError
            If a DAG run fails, or nothing has changed for too long.
        """
        self._step = step
        getattr(self, f"_{step}")()

    def _corpus(self) -> None:
        self._dag("corpus")

    def _listens(self) -> None:
        """Send the past listens, and wait until the live recommendations have stored them all."""
        now = datetime.now(UTC)
        self._send(self._size.listens, now - timedelta(days=PAST_DAYS), now - timedelta(hours=1))
        self._wait_for_listens(STORE_GROUP)  # the live recommendations take none before there is a champion

    def _lake(self) -> None:
        self._dag("listens")

    def _genre_model(self) -> None:
        self._dag("genre_model", self._size.genre)

    def _recommender(self) -> None:
        self._dag("recommender", self._size.recommender)

    def _retraining(self) -> None:
        """Wait until the sensor of the incremental retraining waits, then send enough listens."""
        with self._unpaused("incremental_retraining"):
            run_id = wait_until_deferred(self._api, "incremental_retraining")
            now = datetime.now(UTC)
            self._send(NEW_LISTENS, now - timedelta(hours=1), now)
            self._follow("incremental_retraining", run_id)

    def _live(self) -> None:
        """Send one listen through the API, and read the recommendations that follow from it."""
        user, names = f"live-{time.time_ns()}", {"title": 1, "artist": 1}
        token = Accounts(self._database).add(user)
        track = self._database["tracks"].find_one({"artist": {"$type": "string"}}, names) or {}
        heard = {"artist_name": track["artist"], "track_name": track["title"]}
        body = {"listen_type": "single", "payload": [{"listened_at": int(time.time()), "track_metadata": heard}]}
        url = f"http://127.0.0.1:{self._settings.api_port}"
        headers = {"Authorization": f"Token {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            began = time.time()
            client.post("/1/submit-listens", json=body).raise_for_status()
            self._progress.sent += 1
            self._progress.listeners.append(user)

            def read() -> tuple[float, int]:
                answer = client.get(f"/v1/users/{user}/recommendations")
                if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # it has not loaded the champion yet
                    return 0.0, 0
                found = answer.raise_for_status().json()
                return datetime.fromisoformat(found["generated_at"]).timestamp(), found["count"]

            def stored() -> bool:
                # Until a list is stored, the API ranks anew at each call. Two equal answers are the stored list.
                made, count = read()
                return (made, count) == read() and count > 0 and made > began

            self._wait("recommendations follow a listen", stored, lambda: None)
        self._say(f"A listen sent through the API: recommendations {time.time() - began:.1f} s later.")

    def _again(self) -> None:
        self._dag("corpus")

    def _night(self) -> None:
        """Add files, then run the nightly DAGs as of the following night."""
        folder, tracks = Path(str(self._settings.music_dir)), self._size.tracks
        write(self._recipe, folder, range(tracks, tracks + NEW_FILES))
        today = datetime.now(UTC).date().isoformat()
        self._dag("corpus", partition_key=today)
        with self._unpaused("new_tracks"):
            running = partial(self._api.runs, "new_tracks", "running")
            self._wait("new_tracks runs", lambda: bool(running()), lambda: None)
            self._follow("new_tracks", running()[0])
        self._dag("listens", partition_key=today)
        self._dag("genre_model", self._size.genre)
        self._dag("recommender", self._size.recommender)
        self._wait_for_listens(STORE_GROUP, self._settings.live_group)

    def _dag(self, dag_id: str, params: Doc | None = None, partition_key: str | None = None) -> None:
        run_id = self._api.trigger(dag_id, params or {}, partition_key)
        with self._unpaused(dag_id):
            self._follow(dag_id, run_id)

    @contextmanager
    def _unpaused(self, dag_id: str) -> Any:
        """Unpause a DAG for the block. Outside it, the DAG stays paused, so its schedule starts no run."""
        self._api.set_paused(dag_id, paused=False)
        try:
            yield
        finally:
            self._api.set_paused(dag_id, paused=True)

    def _follow(self, dag_id: str, run_id: str) -> None:
        try:
            follow(self._api, dag_id, run_id, self._console)
        finally:
            tasks = {
                task.task_id: {"state": task.state, "seconds": task.duration_s}
                for task in self._api.tasks(dag_id, run_id)
            }
            self._progress.runs.append({"step": self._step, "dag_id": dag_id, "run_id": run_id, "tasks": tasks})

    def _send(self, events: int, start: datetime, end: datetime) -> None:
        began, used = time.monotonic(), time.process_time()
        audience = listeners.audience_of(self._settings, listeners=self._size.listeners, seed=self._recipe.seed)
        people: dict[str, None] = {}
        sent = listeners.produce(
            self._settings, _each_once(audience.play(events=events, start=start, end=end), people)
        )
        self._progress.sent += sent
        self._progress.listeners = sorted({*self._progress.listeners, *people})
        memory = psutil.Process().memory_info().rss / 1e6
        self._say(
            f"{sent:,} listens of {len(people):,} listeners sent in {time.monotonic() - began:.0f} s "
            f"({time.process_time() - used:.0f} s of CPU; this process has {memory:.0f} MB)."
        )

    def _wait_for_listens(self, *groups: str) -> None:
        """Wait until these consumer groups have taken all listens.

        The stored listens are not counted: for a count, SecantusDB's servers read all documents.
        """
        config = kafka_config(self._settings)
        topics = dict.fromkeys(groups, self._settings.listens_topic)

        def left() -> int:
            return max(offsets.lags(config, topics).values())

        self._wait("all listens are taken", lambda: left() == 0, left)

    def _wait(self, what: str, is_there: Callable[[], bool], moving: Callable[[], Any]) -> None:
        """Wait for a result; fail if nothing changes for `STILL_S` seconds."""
        patience = Patience(STILL_S)
        while not is_there():
            if patience.is_over(seen := moving()):
                raise StackError(f"Nothing has moved for {minutes(patience)} before {what}: {seen}.")
            time.sleep(POLL_S)

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, markup=False)


def _each_once(events: Iterator[Listen], people: dict[str, None]) -> Iterator[Listen]:
    """Keep one of the plays that are the same event, and record the listeners.

    All plays of a listener follow each other. If sessions overlap, a track may be played twice in the same second.
    Segue counts both plays as one listen.
    """
    for name, plays in groupby(events, key=lambda event: event.user_name):
        people[name] = None
        yield from {event.event_id: event for event in plays}.values()


def go_through(
    chain: Chain, steps: list[str], progress: Progress, file: Path, sampler: Sampler, console: Console
) -> None:
    """Do the remaining steps, the later ones even if an earlier one fails.

    If the step ``corpus`` fails, no other step is tried.
    """
    for step in steps:
        if step in progress.done:
            console.print(f"{step}: done before, in {progress.done[step]:.0f} s.", highlight=False)
            continue
        console.rule(f"{step} ({datetime.now(UTC):%H:%M:%S} UTC)", align="left")
        sampler.step, began = step, time.monotonic()
        progress.failures.pop(step, None)
        try:
            chain.run(step)
            progress.done[step] = time.monotonic() - began
        except (SegueError, httpx.HTTPError) as error:
            progress.failures[step] = f"{step} failed: {error}"
            console.print(progress.failures[step], style="red", highlight=False, markup=False)
        progress.save(file)
        if "corpus" in progress.failures:
            return
