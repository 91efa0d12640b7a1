"""Shared fixtures: one real stack for the whole run, on ports of its own, beside whatever else runs."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba.core.dispatcher
import numba.np.ufunc.ufuncbuilder
import psutil
import pytest
from pymongo import MongoClient
from xdist.scheduler import LoadFileScheduling

from segue.audio.kernels.compiled import LockedCache
from segue.connections import spark as spark_of_segue
from segue.connections.kafka import Config
from segue.connections.kafka import config as kafka_config
from segue.errors import StackError
from segue.settings import PROJECT_DIR, Settings, get_settings
from segue.stack import airflow, jars, lifecycle, ports, processes, secrets, spark_conf
from segue.stack.document_servers import Kind, find

if TYPE_CHECKING:
    from pymongo.database import Database
    from pyspark.sql import SparkSession
    from xdist.remote import Producer

os.environ["SEGUE_CONFIG"] = ""  # tests do not read the settings file of a developer
HOMES = PROJECT_DIR / ".segue-test"
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
"""For the tests' session: Spark compiled expressions for a few rows in a quarter of its CPU time.

Jobs that tests start by ``spark-submit`` or through Airflow compile them, as those of users do."""

QUICK_COMPILER = "spark.driver.defaultJavaOptions=-XX:TieredStopAtLevel=1"
"""For all Spark jobs of the tests: their JVMs live briefly, and optimizing costs more than it saves."""

WHOLE_STACK = "integration/whole_stack/"
OWN_MONGO = os.environ.get("TEST_MONGO_URI")
"""A MongoDB of the user's own, for `make test-mongo`."""
# librosa's functions too are compiled by two workers at once in a new environment: one was seen to hang in them.
numba.core.dispatcher.FunctionCache = numba.np.ufunc.ufuncbuilder.FunctionCache = LockedCache
if "PYTEST_XDIST_WORKER" in os.environ:
    import segue.audio.reference  # noqa: F401 - librosa's other functions are compiled when it is imported, by one worker


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long series of kills be run, for which CI has no time."""
    parser.addoption("--kills", type=int, default=0, help="how often to kill jobs at random moments")
    parser.addoption("--screenshots", help="folder for pictures of Segue's pages")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the short tests come last. With a MongoDB of the user's own, keep those that store documents.

    A worker takes whole files. If a file of minutes came last, the other worker would wait for it.
    """
    items.sort(key=lambda item: item.get_closest_marker("integration") is None)
    if OWN_MONGO is None:
        return

    def stores(item: pytest.Item) -> bool:
        fixtures = getattr(item, "fixturenames", ())
        asks = "mongo" in fixtures or item.get_closest_marker("documents")
        embedded = "stack" in fixtures or item.get_closest_marker("embedded_documents")
        return bool(asks) and not embedded

    config.hook.pytest_deselected(items=[item for item in items if not stores(item)])
    items[:] = [item for item in items if stores(item)]


def pytest_collection_finish() -> None:
    """Let Python's garbage collector pass over what was imported, which stays to the end of the run."""
    gc.collect()
    gc.freeze()


class OneWholeStack(LoadFileScheduling):
    """Give whole files to a worker, and all files that need the whole stack to the same one: it starts once."""

    def _split_scope(self, nodeid: str) -> str:
        return WHOLE_STACK if WHOLE_STACK in nodeid else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWholeStack | None:
    """Choose how `make test` divides its tests between the workers."""
    return OneWholeStack(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Point this process, and what it starts, at a home of this run's own; stop what was started in it."""
    remove_homes_of_ended_runs()
    made = Settings(
        home=HOMES / str(os.getpid()),
        corpus="test",
        jars=PROJECT_DIR / ".segue" / "jars",
        spark_driver_memory_mb=1024,
        spark_properties=QUICK_COMPILER,
        document_server=os.environ.get("TEST_DOCUMENT_SERVER", Kind.PYTHON),
        mongo_uri=OWN_MONGO,
        **({"mongo_database": f"segue-test-{os.getpid()}"} if OWN_MONGO else {}),
        alert_urls=f"json://127.0.0.1:{ports.find_free(1)[0]}",
        statsd_address=f"127.0.0.1:{ports.find_free(1)[0]}",  # only one test listens there
        **ports.for_a_stack(),
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SEGUE_")]:
            patch.delenv(name)
        for name, value in made.environment.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        secrets.load(made)  # before Spark's configuration is written, which has the login to MongoDB
        yield made
        lifecycle.down(made)
        assert processes.of(made.state_dir) == []
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def kafka(settings: Settings) -> Config:
    """Start the broker; return what clients of kafka-python need: its address and a login."""
    lifecycle.up(settings, ["kafka"])
    return kafka_config(settings)


@pytest.fixture(scope="session")
def mongo(settings: Settings) -> Iterator[Database[dict[str, Any]]]:
    """Start the document server; yield the database of the integrated dataset."""
    if OWN_MONGO is None:
        lifecycle.up(settings, ["mongo"])
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        yield client[settings.mongo_database]


@pytest.fixture(scope="session", autouse=OWN_MONGO is not None)
def no_new_databases(settings: Settings) -> Iterator[None]:
    """Drop the databases that the tests have created on a server of the user's own."""
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        before = set(client.list_database_names())
        yield
        for name in set(client.list_database_names()) - before:
            client.drop_database(name)


@pytest.fixture(scope="module", params=[None] if OWN_MONGO else [Kind.PYTHON, Kind.RUST])
def each_server(request: pytest.FixtureRequest) -> Kind | None:
    """Let a test run with each of SecantusDB's servers that this machine has, or with None, the user's own one."""
    kind: Kind | None = request.param
    if kind and find(kind) is None:
        pytest.skip(f"{kind} is not installed; `make documents-server` builds it")
    return kind


@pytest.fixture(scope="session")
def stack(settings: Settings) -> airflow.Login:
    """Start everything; return where Airflow's API is and who may enter."""
    lifecycle.up(settings)
    return airflow.login(settings)


@pytest.fixture(scope="session")
def spark(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Start one Spark session with Delta, configured as every job of the stack is."""
    from pyspark.sql import SparkSession

    jars.fetch(settings)
    spark_conf.write(settings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in spark_conf.environment(settings).items():
            patch.setenv(name, value)
        # Its own, since the stack empties that of its jobs when it starts after a kill.
        patch.setenv("SPARK_LOCAL_DIRS", str(tmp_path_factory.mktemp("spark")))
        SparkSession.builder.config(map=INTERPRETED).getOrCreate()
        session = spark_of_segue.session("tests")
        # Until a lake keeps them beside its tables.
        session.sparkContext.setCheckpointDir(str(tmp_path_factory.mktemp("checkpoints")))
        yield session
        session.stop()


@pytest.fixture(scope="module", autouse=True)
def free_heap(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let Spark forget what a module's tests used: tables, which Delta keeps for an hour, and Python's references.

    Without this, the heap of a worker that ran most of the tests was full, and Spark only collected garbage. After
    modules without Spark there is nothing to free, and a collection would take more than a second.
    """
    yield
    used = any("spark" in item.fixturenames for item in request.session.items if item.path == request.path)
    if used and (session := sys.modules["pyspark.sql"].SparkSession.getActiveSession()):
        gc.collect()
        session.catalog.clearCache()
        session.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@pytest.fixture(autouse=True)
def same_surroundings() -> Iterator[None]:
    """Restore the umask and Segue's variables after each test, since its command line changes them.

    The settings are read again in the next test, so none sees those of another.
    """
    umask, variables = os.umask(0), _variables()
    os.umask(umask)
    get_settings.cache_clear()
    yield
    os.umask(umask)
    for name in _variables().keys() - variables.keys():
        del os.environ[name]
    os.environ |= variables
    get_settings.cache_clear()


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("SEGUE_")}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 8 MB, to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this container may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """Return a function that finds so many ports of 127.0.0.1 that nobody listens on."""
    return ports.find_free


def remove_homes_of_ended_runs() -> None:
    """Stop and remove what runs that were killed have left; a run that goes on beside this one keeps its own."""
    for home in HOMES.glob("*"):
        if not psutil.pid_exists(int(home.name)):
            with suppress(StackError):  # another worker is at it
                lifecycle.down(Settings(home=home))
                shutil.rmtree(home, ignore_errors=True)
