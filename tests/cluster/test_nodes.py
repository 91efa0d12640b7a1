"""Machines that share nothing but an object store: the demo, and faults in the middle of runs. Nothing is lost.

``make test-cluster`` runs this. It needs what `tests.cluster.demo` needs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.cluster import cluster, demo, image, stand_ins
from tests.cluster.airflow import Airflow
from tests.cluster.services import Services
from tests.support.api_server import eventually
from tests.support.audio_files import music, write_soundfile

from segue.demo import sample
from segue.settings import get_settings
from segue.stack import jars

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="nodes need root"),
    pytest.mark.skipif(bool(stand_ins.missing()), reason=f"not installed: {stand_ins.missing()}"),
]

PIECES = 48
NEW = 24
LIMIT_S = 1800
AWAY_S = 20
"""How long the object store does not answer."""

COUNTS = """
import json
from segue.connections import delta_tables, kafka, mongo, offsets
from segue.settings import get_settings
settings = get_settings()
with mongo.database() as database:
    rows = delta_tables.query(f"{settings.lake_uri}/features", "SELECT count(*) AS n FROM rows")
    print(json.dumps({
        "tracks": database["tracks"].count_documents({}),
        "features": rows[0]["n"],
        "listens": database["listens"].count_documents({}),
        "topic": offsets.whole_topic(kafka.config(settings), settings.listens_topic).size,
        "lists": database["recommendations"].count_documents({}),
    }))
"""
LISTEN = """
import sys, time
from segue.demo import listeners
from segue.listens.events import SIMULATED, listen
from segue.settings import get_settings
first, count = int(sys.argv[1]), int(sys.argv[2])
for number in range(first, first + count, 50):
    events = [listen("sim-cluster", f"t{n}", 1_700_000_000 + n, SIMULATED) for n in range(number, number + 50)]
    print(listeners.produce(get_settings(), events), flush=True)
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("music")
    sample.render(folder, pieces=PIECES)
    jars.fetch(get_settings().model_copy(update={"lake": f"s3://{cluster.BUCKET}/lake"}))
    with image.disk(demo.DISK) as disk, cluster.running(folder, disk) as started:
        yield started


@pytest.fixture(scope="module")
def airflow(services: Services) -> Airflow:
    return Airflow(services)


def counts(services: Services) -> dict[str, int]:
    found: dict[str, int] = json.loads(services.inside(cluster.TASKS, "python", "-c", COUNTS).splitlines()[-1])
    return found


def add_music(services: Services, folder: Path, name: str) -> None:
    """Put more clips into the store, as if someone had bought an album."""
    (album := folder / name).mkdir(parents=True)
    for number in range(NEW):
        seed = sum(map(ord, name)) + number
        write_soundfile(album / f"{number:02}.flac", music(20.0) * (0.4 + (seed % 97) / 200))
    services.nodes["s3"].bind(album, f"/new/{name}", read_only=True)
    target = f"{cluster.BUCKET}/music/{name}/"
    code = f"import fsspec; fsspec.filesystem('s3').put('/new/{name}/', '{target}', recursive=True)"
    services.inside("s3", stand_ins.PYTHON, "-c", code)


def first_process(services: Services, name: str) -> psutil.Process:
    """Return the first process of a node, which ends all others of it when it dies."""
    [first] = psutil.Process(services.running[name].pid).children()
    return first


def kill(services: Services, name: str) -> None:
    """End a service as a power cut does."""
    first_process(services, name).kill()
    services.running.pop(name).wait()


def test_the_demo_runs_and_serves(services: Services, capfd: pytest.CaptureFixture[str]) -> None:
    assert demo.run_demo(services) == 0, capfd.readouterr().out[-6000:]
    shown = capfd.readouterr().out
    assert "from music to recommendations" in shown
    assert "promoted" in shown
    found = counts(services)
    assert found["tracks"] == found["features"] == PIECES
    assert found["listens"] == found["topic"] > 0
    assert found["lists"] > 0


def test_the_doctor_asks_the_executors(services: Services) -> None:
    node, doctor = services.nodes[cluster.TASKS], ["python", "-m", "segue", "doctor"]
    assert "xecutor" not in (said := node.run(doctor).stdout), said
    said = node.run(["env", f"SEGUE_MUSIC=s3://{cluster.BUCKET}/nowhere", *doctor]).stdout
    assert f"there is no music folder s3://{cluster.BUCKET}/nowhere" in said
    assert "On spark-worker" in said


@pytest.mark.parametrize(
    "fault", ["a worker dies", "the store is away", "PostgreSQL restarts", "the master restarts"]
)
def test_a_run_survives(services: Services, airflow: Airflow, tmp_path: Path, fault: str) -> None:
    name, before = fault.replace(" ", "-"), counts(services)
    add_music(services, tmp_path, name)
    run = airflow.trigger("corpus", LIMIT_S)
    airflow.wait_for_line(run, "inventory", "plan:", LIMIT_S)
    match fault:
        case "a worker dies":
            kill(services, "spark-worker-2")
        case "the store is away":
            away = first_process(services, "s3")
            away.send_signal(signal.SIGSTOP)
            time.sleep(AWAY_S)
            away.send_signal(signal.SIGCONT)
        case "PostgreSQL restarts":
            kill(services, "postgres")
            services.up("postgres")
        case "the master restarts":
            kill(services, "spark-master")
            services.up("spark-master")
    airflow.finish(run, LIMIT_S)
    services.up("spark-worker-2")
    after = counts(services)
    assert after["tracks"] == after["features"] == before["tracks"] + NEW


def test_listens_are_counted_once_although_a_broker_dies(services: Services) -> None:
    before, sent = counts(services), 1000
    command = ["python", "-c", LISTEN, "0", str(sent)]
    with services.nodes["listens-api"].start(command, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        for _ in range(4):
            sender.stdout.readline()
        kill(services, "kafka-2")
        sender.stdout.read()
        assert sender.wait() == 0
    eventually(lambda: counts(services)["listens"] - before["listens"] == sent, timeout_s=300)
    assert counts(services)["topic"] - before["topic"] == sent
    services.up("kafka-2")
