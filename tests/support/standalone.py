"""A standalone Spark cluster on 127.0.0.1: a master, and workers that are processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.support.api_server import eventually

from segue.settings import PROJECT_DIR, Settings
from segue.stack import jars, ports, spark_conf

ONLY_HERE = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m"}
"""Variables by which Spark's daemons, and the drivers that use them, listen on this machine only."""


ONE_CORE: dict[str, Any] = {"spark_executor_cores": 1, "spark_executor_memory_mb": 768}
"""Settings of executors that fit into the workers of :func:`spark_cluster`."""


def run_module(settings: Settings, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the environment of a Spark job, and return its outcome and what it printed."""
    spark_conf.write(settings)
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT_DIR,
        env=os.environ | spark_conf.environment(settings) | ONLY_HERE | {"PYTHONPATH": str(PROJECT_DIR)},
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Cluster:
    """A running cluster.

    Attributes
    ----------
    master : str
        URL of its master.
    status : str
        URL of the master's state, as JSON.
    workers : list of subprocess.Popen
    """

    master: str
    status: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def alive(self) -> int:
        """Return how many workers are alive; -1 if the master does not answer yet, or with another page."""
        try:
            return int(httpx.get(self.status).json()["aliveworkers"])
        except (httpx.TransportError, json.JSONDecodeError):
            return -1


@contextmanager
def spark_cluster(folder: Path, *, workers: int = 2, hidden: Path | None = None) -> Iterator[Cluster]:
    """Start a cluster, wait until its workers have registered, and stop it after the body.

    Parameters
    ----------
    folder : Path
        For logs and the files of the workers.
    workers : int
        Each has one core and 1 GB.
    hidden : Path, optional
        A folder in whose place each worker sees an empty disk of its own, as on another machine. Needs root.

    Yields
    ------
    Cluster
    """
    port, web_port = ports.find_free(2)
    cluster = Cluster(f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{web_port}/json/")
    master = "org.apache.spark.deploy.master.Master"
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(web_port)]
    with ExitStack() as stack:
        stack.enter_context(_daemon(folder / "master", master, *arguments))
        eventually(lambda: cluster.alive() == 0, timeout_s=180)
        for number in range(workers):
            of_worker = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0"]
            own = folder / f"worker-{number}"
            worker = "org.apache.spark.deploy.worker.Worker"
            started = _daemon(own, worker, *of_worker, "--work-dir", str(own), cluster.master, hidden=hidden)
            cluster.workers.append(stack.enter_context(started))
        eventually(lambda: cluster.alive() == workers, timeout_s=180)
        yield cluster


@contextmanager
def _daemon(
    folder: Path, name: str, *arguments: str, hidden: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    home = jars.spark_home()
    command = [str(home / "bin" / "spark-class"), name, *arguments]
    if hidden:
        hide = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide, str(hidden), *command]
    environment = os.environ | ONLY_HERE | {"SPARK_HOME": str(home), "SPARK_CONF_DIR": str(folder)}
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()
