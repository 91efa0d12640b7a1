"""Start and stop the whole stack."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

from segue import locks, private
from segue.connections import mongo
from segue.errors import StackError
from segue.settings import Settings, read_settings
from segue.settings_file import is_password
from segue.stack import (
    airflow,
    documents,
    jars,
    kafka,
    listens_api,
    live_recommendations,
    machine,
    prerequisites,
    processes,
    secrets,
    spark_conf,
    supervisor,
)
from segue.stack.service import Service, stop
from segue.tracks import collection, sounds

PARTS = ("kafka", "mongo", "airflow", "api", "live", "supervisor")
BUSY = "Another `segue up`, `down` or `clean` is running for {home}. Wait until it has finished."

Say = Callable[[str], None]


def services(settings: Settings, parts: Sequence[str] = PARTS) -> list[Service]:
    """Return the descriptions of the services of `parts`, in the order in which they are shown."""
    made = {
        "kafka": lambda: [kafka.service(settings)],
        "mongo": lambda: [documents.service(settings)],
        "airflow": lambda: airflow.services(settings),
        "api": lambda: [listens_api.service(settings)],
        "live": lambda: [live_recommendations.service(settings)],
        "supervisor": lambda: [supervisor.service(settings)],
    }
    return [service for part in parts for service in made[part]()]


def running(settings: Settings) -> Settings:
    """Return the settings that the running stack of this home was started with, or `settings` if none runs.

    Raises
    ------
    ConfigurationError
        If that stack logs in to Kafka but the password is not in the environment. It is not stored.
    StackError
        If the file with the settings is damaged.
    """
    alive = processes.state_dirs(settings.home)
    if not alive:
        return settings
    saved = _saved(settings.state_dir if settings.state_dir in alive else min(alive))
    if not saved.exists():
        return settings
    try:
        written = json.loads(saved.read_bytes())
    except ValueError as error:
        raise StackError(
            f"{saved} is damaged ({error}). It has the settings of the running stack. `segue up`, with these "
            "settings in the environment, writes it again."
        ) from None
    return read_settings(**written)


def up(settings: Settings, parts: Sequence[str] = PARTS, say: Say = lambda _: None) -> None:
    """Start the services of `parts` that do not run. Leave the others alone.

    Parameters
    ----------
    settings : Settings
        They choose the corpus and the ports.
    parts : sequence of str, optional
        Some of `PARTS`.
    say : callable, optional
        Called with a sentence about each step.

    Raises
    ------
    StackError
        If a port is taken or a service does not become healthy. The services that this call started are stopped.
    PrerequisiteError
        If Java is missing or too old.
    """
    prerequisites.check_java()
    if small := machine.memory():
        say(small)
    with private.umask(), _alone(settings):
        private.close(settings.state_dir, spare=settings.state_dir / "music")
        secrets.load(settings)
        for folder in jars.fetch(settings):
            say(f"Fetched the jars of {folder}.")
        for other in sorted(processes.state_dirs(settings.home) - {settings.state_dir}):
            say(f"Stopping the stack of the corpus {other.name}: only one runs at a time.")
            _stop(other)
        _bring_up(settings, parts, say)


def down(settings: Settings, say: Say = lambda _: None) -> None:
    """Stop the running stack of this home, with all its processes."""
    if not settings.home.exists():  # the lock would create it
        say("Nothing is running.")
        return
    with _alone(settings):
        alive = processes.state_dirs(settings.home)
        if not alive:
            say("Nothing is running.")
        for state_dir in sorted(alive):
            _stop(state_dir)
            say(f"Stopped the stack of the corpus {state_dir.name}.")


def clean(settings: Settings, say: Say = lambda _: None) -> None:
    """Stop the stack of this corpus and remove its state folder: databases, logs, lake, models."""
    nothing = f"There is nothing to remove: {settings.state_dir} does not exist."
    if not settings.home.exists():  # the lock would create it
        say(nothing)
        return
    with _alone(settings):
        _stop(settings.state_dir)
        if not settings.state_dir.exists():
            say(nothing)
            return
        shutil.rmtree(settings.state_dir)
        say(f"Removed {settings.state_dir}.")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep other commands and the supervisor from starting and stopping services of this home.

    Raises
    ------
    StackError
        If another command is at work. A restart by the supervisor is waited for.
    """
    busy = BUSY.format(home=settings.home)
    with locks.exclusive(settings.home / ".lock", busy=busy), locks.exclusive(settings.home / supervisor.LOCK):
        yield


def _bring_up(settings: Settings, parts: Sequence[str], say: Say) -> None:
    bring_up = _BringUp(_stop_stale(settings, parts, say), say)
    if not processes.of(settings.state_dir):
        spark_conf.remove_scratch(settings)
    spark_conf.write(settings)
    _save(settings)
    starts: dict[str, Callable[[Settings, Callable[[Service], None]], None]] = {
        "kafka": kafka.start,
        "mongo": partial(_start_documents, say=say),
        "airflow": airflow.start,
        "api": listens_api.start,
        "live": live_recommendations.start,
        "supervisor": supervisor.start,
    }
    with ThreadPoolExecutor(len(parts)) as pool:
        futures = [pool.submit(starts[part], settings, bring_up) for part in parts]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            bring_up.called_off.set()
            wait(futures)
            for service in bring_up.stale:
                service.stop()
            raise


def _stop_stale(settings: Settings, parts: Sequence[str], say: Say) -> list[Service]:
    """Stop the services that do not run as they should, and return them."""
    stale = []
    for service in services(settings, parts):
        if service.resume():
            say(f"{service.name} was suspended, and continues.")
        used = service.usage()
        if used.excess:
            say(used.excess)
        if used.is_to_be_started_anew or not service.runs_as_wanted():
            stale.append(service)
            if service.process() and not service.runs_as_wanted():
                say(f"{service.name} runs with older code or other settings, and is restarted.")
    for service in reversed(stale):  # those that use others first, so that tasks are interrupted and do not fail
        service.stop()
    for service in stale:
        service.check_ports()
    return stale


def _start_documents(settings: Settings, bring_up: Callable[[Service], None], say: Say) -> None:
    documents.start(settings, bring_up)
    with mongo.client(settings.mongo) as client:
        if collection.is_of_doubles(client[settings.mongo_database]):
            collection.prepare(client[settings.mongo_database], say)
        # A corpus that an earlier version published has no places yet. Otherwise there is nothing to do.
        if sounds.revision(client[settings.mongo_database]) is None:
            sounds.update(client[settings.mongo_database], say)


class _BringUp:
    """Start one service and wait for it. A service that runs but does not answer is restarted."""

    def __init__(self, stale: list[Service], say: Say) -> None:
        self.stale = stale
        self.called_off = Event()
        self._say = say

    def __call__(self, service: Service) -> None:
        began = time.monotonic()
        if service not in self.stale:
            try:
                service.wait(self.called_off, still_s=60)
            except StackError:
                service.stop()
                self.stale.append(service)
            else:
                return
        service.start()
        service.wait(self.called_off)
        self._say(f"{service.name} is healthy after {time.monotonic() - began:.1f} s.")


def _stop(state_dir: Path) -> None:
    """Stop Airflow and the listens API, then the services that they use, then all remaining processes."""
    recorded = {pid_file.stem for pid_file in (state_dir / "run").glob("*.json")}
    for names in (recorded - {"kafka", "mongo"}, recorded & {"kafka", "mongo"}):
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: stop(state_dir, name), names))
    processes.end(processes.of(state_dir), grace_s=5)


PASSWORDS = {name for name in Settings.model_fields if is_password(Settings, name)}
"""Settings that are not stored. Commands read them from the environment."""


def _saved(state_dir: Path) -> Path:
    return state_dir / "settings.json"


def _save(settings: Settings) -> None:
    private.write(_saved(settings.state_dir), settings.model_dump_json(indent=2, exclude=PASSWORDS))
