"""Start the services of docker-compose.yml on nodes, in the order of their dependencies.

Segue's own services and MLflow run from images that `tests.cluster.image` has made, with command, environment,
user, volumes and health check of the file. For the others, programs of this machine stand in, with the same
settings.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import STDOUT, Popen, TimeoutExpired
from typing import Any

import psutil
from tests.cluster import nodes, stand_ins
from tests.cluster.image import MACHINE, Image
from tests.cluster.nodes import Node
from tests.support import compose

from segue.settings import PROJECT_DIR

HEALTHY_S = 600
"""Longest wait for a service. The machine may be busy with other tests."""


@contextmanager
def on_nodes(described: Mapping[str, Any], images: Mapping[str, Image], folder: Path) -> Iterator[Services]:
    """Make a node for each service, and end the services that were started on them afterwards.

    Parameters
    ----------
    described, images, folder
        As for `Services`.
    """
    layers = {
        name: [*images[each["image"]].layers, MACHINE] if each["image"] in images else [MACHINE]
        for name, each in described.items()
    }
    with nodes.network(folder / "nodes", list(described), layers) as network:
        services = Services(described, network, images, folder)
        try:
            yield services
        finally:
            services.down()


@dataclass
class Services:
    """The services that run.

    Parameters
    ----------
    described : mapping
        As `compose.services` returns it.
    nodes : mapping of str to Node
    images : mapping of str to Image
        By the name in the file.
    folder : Path
        For the named volumes and the output of the services.
    """

    described: Mapping[str, Any]
    nodes: Mapping[str, Node]
    images: Mapping[str, Image]
    folder: Path
    running: dict[str, Popen[Any]] = field(default_factory=dict)

    def up(self, *names: str) -> None:
        """Start services, those that they depend on first, and wait until they are healthy.

        Raises
        ------
        AssertionError
            If one does not get healthy, or ends. It has the last lines of its output.
        """
        for name in names:
            if name in self.running:
                self._wait(name)
                continue
            for needed in self.described[name].get("depends_on", {}):
                self.up(needed)
            self._start(name)
            self._wait(name)

    def launch(self, *names: str) -> None:
        """Start services that wait for each other, without waiting for them."""
        for name in names:
            self._start(name)

    def down(self) -> None:
        """Stop the services as the engine does: ask their first processes to end, and end them later."""
        for process in self.running.values():
            for first in psutil.Process(process.pid).children() if process.poll() is None else []:
                first.terminate()
        for process in self.running.values():
            with suppress(TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
        self.running.clear()

    def output(self, name: str) -> str:
        """Return what a service has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def inside(self, name: str, *command: str, timeout: float = 600) -> str:
        """Run a command in the container of a service, as ``docker compose exec`` does; return its output."""
        answer = self.nodes[name].run(command, timeout=timeout)
        assert answer.returncode == 0, f"{name}: {shlex.join(command)}: {answer.stdout}"
        return answer.stdout

    def is_healthy(self, name: str) -> tuple[bool, str]:
        """Run the health check of a service once."""
        node, service = self.nodes[name], self.described[name]
        if service["image"] not in self.images:
            return stand_ins.OF[service["image"].partition(":")[0]].is_ready(node, service["environment"])
        if "healthcheck" not in service:
            return True, "has no health check"
        kind, *test = service["healthcheck"]["test"]
        command = ["/bin/sh", "-c", *test] if kind == "CMD-SHELL" else test
        answer = node.run(command, timeout=60)
        return answer.returncode == 0, answer.stdout

    def _start(self, name: str) -> None:
        service, node = self.described[name], self.nodes[name]
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if source.startswith("./"):
                place = PROJECT_DIR / source
            elif source.startswith("/"):
                place = Path(source)
            else:
                place = self._volume(source, node, target)
            node.bind(place, target, read_only=mode == ["ro"])
        node.limit_memory(compose.limits(service)[1])
        image = self.images.get(service["image"])
        if image:
            own = {"HOME": _home(node, image.user), "HOSTNAME": name}
            node.environment = image.environment | own | service["environment"]
            node.user, node.folder = image.user, image.folder
            command = [*image.entrypoint, *service.get("command", image.command)]
        else:
            command = stand_ins.OF[service["image"].partition(":")[0]].prepare(node, service["environment"])
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = node.start(command, stdout=log, stderr=STDOUT)

    def _volume(self, name: str, node: Node, target: str) -> Path:
        """Return the folder of a named volume. A new one belongs to whom the image's folder belongs to."""
        folder = self.folder / "volumes" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            original = node.root / target.lstrip("/")
            if original.exists():
                status = original.stat()
                folder.chmod(status.st_mode & 0o7777)
                os.chown(folder, status.st_uid, status.st_gid)
        return folder

    def _wait(self, name: str) -> None:
        process, until = self.running[name], time.monotonic() + HEALTHY_S
        if self.described[name].get("restart") == "no":
            code = process.wait(HEALTHY_S)
            assert code == 0, f"{name} ended with {code}:\n{self.output(name)[-3000:]}"
            return
        said = ""
        while time.monotonic() < until:
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.output(name)[-3000:]}"
            healthy, said = self.is_healthy(name)
            if healthy:
                return
            time.sleep(2)
        raise AssertionError(f"{name} is not healthy: {said}\n{self.output(name)[-3000:]}")


def _home(node: Node, user: str) -> str:
    lines = (node.root / "etc" / "passwd").read_text().splitlines()
    return next(fields[5] for line in lines if (fields := line.split(":"))[2] == user)
