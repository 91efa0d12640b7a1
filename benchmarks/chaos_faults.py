"""The faults of a campaign that hit processes, connections, the clock and the disk. See also `chaos_damage`."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import chaos_damage
import httpx
import shifted_clock
from chaos_ground import Disk
from chaos_schedule import Fault
from killed import kill, spark_job
from listens_killed import LAKE_JOB, Load

from segue.settings import Settings
from segue.stack import lifecycle, processes
from segue.stack.service import Service

STEPS = {
    "+1 h": timedelta(hours=1),
    "-1 h": timedelta(hours=-1),
    "+1 day": timedelta(days=1),
    "-1 day": timedelta(days=-1),
}
ALMOST_FULL_BYTES = 150 * 10**6
"""Less than `segue.disk.LOW_BYTES`."""


@dataclass
class Ground:
    """What the faults hit.

    Parameters
    ----------
    settings : Settings
    disk : Disk
        The file system that holds the stack.
    load : Load
        The clients that send listens.
    token : str
        Token of a user who sends no valid listens.
    """

    settings: Settings
    disk: Disk
    load: Load
    token: str

    def service(self, name: str) -> Service:
        """Describe a service of the stack."""
        return next(each for each in lifecycle.services(self.settings) if each.name == name)


def inject(ground: Ground, fault: Fault) -> None:
    """Inject a fault, and end it after its duration."""
    FAULTS[fault.kind](ground, fault)


def _kill(ground: Ground, fault: Fault) -> None:
    kill(ground.service(fault.target))


def _pause(ground: Ground, fault: Fault) -> None:
    victims = processes.of(ground.settings.state_dir, fault.target)
    for process in victims:
        process.suspend()
    time.sleep(fault.seconds)
    processes.resume(victims)


def _cut_connections(ground: Ground, fault: Fault) -> None:
    """Let the kernel end all connections of a service. Both sides see an error."""
    ports = {name: port for each in lifecycle.services(ground.settings) for name, port in each.ports.items()}
    for name in ground.service(fault.target).ports:
        for side in ("sport", "dport"):
            subprocess.run(["ss", "-K", side, "=", f":{ports[name]}"], check=True, capture_output=True)


def _network_down(_: Ground, fault: Fault) -> None:
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    time.sleep(fault.seconds)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _clock_step(_: Ground, fault: Fault) -> None:
    """Set the clock of all processes at once, and set it back."""
    for step in (STEPS[fault.target], -STEPS[fault.target]):
        shifted_clock.set_to(datetime.fromtimestamp(time.time(), UTC) + step)
        time.sleep(fault.seconds)


def _disk_full(ground: Ground, fault: Fault) -> None:
    """Leave little space, so that the API must refuse listens and say when to try again. Then leave none."""
    with ground.disk.with_free(ALMOST_FULL_BYTES):
        _require_refusal(ground)
    with ground.disk.with_free(0):
        time.sleep(fault.seconds)


def _require_refusal(ground: Ground) -> None:
    listen = {"listened_at": 1_250_000_000, "track_metadata": {"artist_name": "x", "track_name": "x"}}
    answer = httpx.post(
        f"http://127.0.0.1:{ground.settings.api_port}/1/submit-listens",
        json={"listen_type": "single", "payload": [listen]},
        headers={"Authorization": f"Token {ground.token}"},
        timeout=120,
    )
    if (answer.status_code, answer.headers.get("Retry-After")) != (503, "5"):
        raise RuntimeError(f"On a full disk a listen was answered with {answer.status_code}: {answer.text}")


def _kill_lake_job(ground: Ground, fault: Fault) -> None:
    with spark_job(ground.settings, ground.settings.home / "lake-job.log", *LAKE_JOB):
        time.sleep(fault.seconds)


def _damage(what: Callable[[Settings, Any], None]) -> Callable[[Ground, Fault], None]:
    def damage(ground: Ground, fault: Fault) -> None:
        with ground.load.held():
            what(ground.settings, fault.target)

    return damage


FAULTS: dict[str, Callable[[Ground, Fault], None]] = {
    "kill": _kill,
    "pause": _pause,
    "cut connections": _cut_connections,
    "network down": _network_down,
    "clock step": _clock_step,
    "disk full": _disk_full,
    "cut segment": _damage(chaos_damage.cut_segment),
    "lost index": lambda ground, fault: chaos_damage.lose_index(ground.settings, fault.target),
    "damaged file": lambda ground, fault: chaos_damage.damage_record(ground.settings, fault.target),
    "lost database": _damage(chaos_damage.lose_database),
    "kill lake job": _kill_lake_job,
}


class Beside:
    """Run something in a thread beside the body of a ``with`` statement, and raise its error at the end."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,))

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._error:
            raise self._error

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._over)
        except Exception as error:  # noqa: BLE001 - raised again in the other thread
            self._error = error
