"""The services of docker-compose.yml work together, each on a node of its own, as the file describes them.

``make test-compose`` runs this. It needs root and Linux, PostgreSQL's programs and Java, some 4 GB of memory, and
the first time the minutes to install the image's packages.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster import image, nodes, stand_ins
from tests.cluster.airflow import Airflow, json_of
from tests.cluster.services import Services, on_nodes
from tests.support import audio_files, compose

from segue.settings import PROJECT_DIR

pytestmark = [
    pytest.mark.compose,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(os.geteuid() != 0, reason="nodes need root"),
    pytest.mark.skipif(not stand_ins.POSTGRES.exists(), reason="PostgreSQL is not installed"),
]

IMAGES = PROJECT_DIR / ".segue-images"
FILES = 6
RUN_S = 1500
"""Longest wait for a run of the DAG corpus."""


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    with image.disk(IMAGES / "layers.ext4") as place:
        yield place


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for number in range(FILES):
        audio_files.write_soundfile(folder / f"{number}.flac", audio_files.music(3 + number))
    folder.chmod(0o755)
    for parent in folder.parents[:2]:  # pytest closes its folders; the containers' user is another one
        parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@pytest.fixture(scope="module")
def variables(music: Path) -> dict[str, str]:
    """Return what a user would write into `.env`."""
    filled = compose.example() | {
        "MUSIC_DIR": str(music),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "DRIVER_MEMORY_MB": "1024",
        "EXECUTOR_MEMORY_MB": "1024",
    }
    return filled | {name: secrets.token_hex(48) for name in ("AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET")}


@pytest.fixture(scope="module")
def services(disk: Path, variables: dict[str, str]) -> Iterator[Services]:
    described = compose.services(variables)
    stages = {"segue": "segue", "segue-mlflow": "mlflow"}
    named = {each["image"] for each in described.values()}
    ours = {name: stage for name in named if (stage := stages.get(name.partition(":")[0]))}
    images = {name: image.build(stage, disk) for name, stage in ours.items()}
    folder = disk / "run"
    nodes.remove(folder)
    folder.mkdir()
    with on_nodes(described, images, folder) as started:
        yield started


def test_the_api_accepts_listens_and_says_that_it_is_healthy(services: Services) -> None:
    services.up("listens-api", "live")
    health = json_of(services, "live", "http://listens-api:18100/health")
    assert health["status"] == "ok", health
    assert health["recommendations"]["ok"], "it does not see the heartbeat of the live members"


def test_a_user_of_the_image_may_not_change_its_code(services: Services) -> None:
    services.up("listens-api")
    told = services.inside("listens-api", "sh", "-c", "id -u; touch include/segue/cli.py 2>&1 || echo refused")
    assert told.splitlines()[0] == "10001"
    assert told.endswith("refused\n")
    rights = services.inside("listens-api", "grep", "-E", "CapBnd|NoNewPrivs", "/proc/self/status")
    assert rights.split() == ["CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


def test_compiled_code_of_the_image_is_used(services: Services) -> None:
    """Nothing is compiled again: loading it takes a fraction of the time."""
    services.up("listens-api")
    code = (
        "import numpy as np\n"
        "from segue.audio.features import FeatureAccumulator\n"
        "from segue.audio.kernels import first_pass\n"
        "accumulator = FeatureAccumulator(44_100)\n"
        "accumulator.add(np.zeros(88_200, np.float32))\n"
        "accumulator.finish()\n"
        "import gc, numba.core.dispatcher as d\n"
        "used = [each.stats for each in gc.get_objects() if isinstance(each, d.Dispatcher)]\n"
        "print(sum(len(each.cache_hits) for each in used), sum(len(each.cache_misses) for each in used))\n"
    )
    hits, misses = map(int, services.inside("listens-api", "python", "-c", code).split()[-2:])
    assert hits
    assert not misses


def test_the_worker_offers_what_the_file_gives_it(services: Services) -> None:
    services.up("spark-worker")
    until = time.monotonic() + 120  # its own page answers before it has found the master
    while not (workers := json_of(services, "spark-worker", "http://spark-master:8081/json/")["workers"]):
        assert time.monotonic() < until, services.output("spark-worker")
        time.sleep(2)
    [worker] = workers
    assert (worker["state"], worker["cores"], worker["memory"]) == ("ALIVE", 2, 1024)


def test_a_run_of_the_corpus_in_airflow_publishes_every_track(services: Services) -> None:
    services.up("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "spark-worker")
    airflow = Airflow(services)
    airflow.finish(airflow.trigger("corpus", RUN_S), RUN_S)
    count = (
        "from segue.connections import mongo\n"
        "from segue.settings import get_settings\n"
        "with mongo.database(get_settings().mongo) as database:\n"
        "    print(database.client[get_settings().mongo_database].tracks.count_documents({}))\n"
    )
    assert int(services.inside("listens-api", "python", "-c", count).split()[-1]) == FILES


def test_a_service_that_needs_more_memory_than_its_limit_is_ended(services: Services) -> None:
    services.up("listens-api")
    answer = services.nodes["listens-api"].run(["python", "-c", "bytearray(700 * 2**20)"])
    assert answer.returncode != 0
    assert services.running["listens-api"].poll() is None


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Nodes and mounts of a network of its own are gone after its end."""
    with image.disk(tmp_path / "small.ext4", "64M") as place:
        with nodes.network(place, ["one", "two"], {"one": [image.MACHINE], "two": [image.MACHINE]}) as network:
            sleeping = network["one"].start(["sleep", "1000"])
            assert network["two"].run(["getent", "hosts", "one"]).stdout.startswith(network["one"].address)
            (network["one"].root / "tmp" / "written").touch()
            assert network["two"].run(["ls", "/tmp/written"]).returncode != 0  # noqa: S108
        assert sleeping.wait(10) != 0
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert f"segue{os.getpid()}-one" not in listed
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
