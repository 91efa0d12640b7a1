"""Nodes on one machine: each has its own network, host name, processes and file system, and shares no disk.

A node's file system is an overlay: what it writes goes to a layer of its own, above the layers of an image and the
files of this machine. Nodes reach each other by name over a bridge that no other process sees. They need root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NETWORK = "172.30.18"
"""As in docker-compose.yml; its first addresses are not taken by nodes."""
FIRST = 16
CGROUPS = Path("/sys/fs/cgroup/memory")
RIGHTS = ("--clear-groups", "--no-new-privs", "--bounding-set=-all")


@dataclass
class Node:
    """One machine."""

    name: str
    namespace: str
    root: Path
    address: str
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    folder: str = "/"
    memory: Path | None = None

    def bind(self, source: Path, target: str, *, read_only: bool = False) -> None:
        """Let the node see a folder or file of this machine at `target`."""
        place = self.root / target.lstrip("/")
        if source.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        _run("mount", "--bind", source, place)
        if read_only:
            _run("mount", "-o", "remount,bind,ro", place)

    def limit_memory(self, size_bytes: int) -> None:
        """Let the kernel end a process of the node when all of them use more."""
        self.memory = CGROUPS / self.namespace
        self.memory.mkdir()
        (self.memory / "memory.limit_in_bytes").write_text(str(size_bytes))

    def start(self, command: Sequence[str], *, user: str | None = None, **options: Any) -> subprocess.Popen[Any]:
        """Start a command with the environment of the node. When it ends, what it has started is ended, too."""
        user = user or self.user
        rights = () if user == "0" else ("setpriv", "--reuid", user, "--regid", "0", *RIGHTS, "--")
        isolated = ("--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        line = ["/usr/sbin/ip", "netns", "exec", self.namespace, "/usr/bin/unshare", *isolated]
        line += [f"--root={self.root}", "/bin/sh", "-c", 'hostname "$0"; cd "$1"; shift; exec "$@"']
        line += [self.name, self.folder, *rights, *command]
        return subprocess.Popen(line, env=self.environment, preexec_fn=self._enter, **options)

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        timeout = options.pop("timeout", 600)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with self.start(command, **(pipes | options)) as process:
            try:
                output, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                return subprocess.CompletedProcess(command, 124, f"{output}\n(ended after {timeout} s)")
        return subprocess.CompletedProcess(command, process.returncode, output)

    def _enter(self) -> None:
        if self.memory:
            (self.memory / "cgroup.procs").write_text(str(os.getpid()))


@contextmanager
def overlay(upper: Path, lower: Sequence[Path], root: Path) -> Iterator[Path]:
    """Mount the layer `upper` above `lower`, the topmost first, with the devices of this machine.

    Nothing waits for the disk, so a layer is not to be used after a power failure.
    """
    work = upper.with_name(f"{upper.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    for folder in (upper, work, root):
        folder.mkdir(parents=True, exist_ok=True)
    below = ":".join(str(each) for each in lower)
    options = f"lowerdir={below},upperdir={upper},workdir={work},volatile"
    _run("mount", "-t", "overlay", "-o", options, "overlay", root)
    try:
        _devices(root / "dev")
        yield root
    finally:
        unmount(root)


def unmount(folder: Path) -> None:
    """Unmount everything at or below a folder, also what a test that was killed has left."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if Path(place).is_relative_to(folder):
            _run("umount", "--lazy", place)


def remove(folder: Path) -> None:
    """Remove a folder. Unmount first what is mounted in it, because that would be removed with it."""
    unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _devices(folder: Path) -> None:
    """Make the devices that a container has. Those of this machine are out of reach."""
    _run("mount", "-t", "tmpfs", "-o", "mode=755,size=64m", "tmpfs", folder)
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        made = Path("/dev", name).stat()
        os.mknod(folder / name, made.st_mode, made.st_rdev)
        (folder / name).chmod(0o666)
    for name, target in {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (folder / name).symlink_to(f"/proc/self/{target}")
    (folder / "shm").mkdir(mode=0o1777)
    (folder / "shm").chmod(0o1777)


@contextmanager
def network(folder: Path, names: Sequence[str], images: Mapping[str, Sequence[Path]]) -> Iterator[dict[str, Node]]:
    """Make nodes that reach each other by their names, and remove them and what they have written afterwards.

    Parameters
    ----------
    folder : Path
        For their layers; not on an overlay itself.
    names : sequence of str
    images : mapping of str to sequence of Path
        Layers of the image of each node, the topmost first. The lowest one must be ``/`` or a copy of a system.
    """
    mark = f"segue{os.getpid()}"
    addresses = {name: f"{NETWORK}.{FIRST + number}" for number, name in enumerate(names)}
    hosts = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in addresses.items())
    nodes: dict[str, Node] = {}
    with ExitStack() as stack:
        stack.enter_context(_namespace(switch := f"{mark}-switch"))
        _run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", switch, "link", "set", "bridge", "up")
        for number, name in enumerate(names):
            namespace = stack.enter_context(_namespace(f"{mark}-{name}"))
            _connect(switch, namespace, f"v{number}", f"{addresses[name]}/24")
            root = stack.enter_context(overlay(folder / name / "layer", images[name], folder / name / "root"))
            (root / "etc" / "hosts").write_text(hosts)
            (root / "etc" / "resolv.conf").unlink(missing_ok=True)  # no node knows other names
            nodes[name] = Node(name, namespace, root, addresses[name])
        try:
            yield nodes
        finally:
            for node in nodes.values():
                _end(node)


def _end(node: Node) -> None:
    """End what still runs on a node: what the test did not end, and what it started in the background."""
    listed = subprocess.run(["ip", "netns", "pids", node.namespace], capture_output=True, text=True, check=False)
    for pid in listed.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)
    if node.memory:
        with suppress(
            OSError
        ):  # a process is still ending; the empty group goes with the next start of the machine
            node.memory.rmdir()


@contextmanager
def _namespace(name: str) -> Iterator[str]:
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _run("ip", "netns", "delete", name)


def _connect(switch: str, namespace: str, cable: str, address: str) -> None:
    _run("ip", "-n", switch, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    _run("ip", "-n", switch, "link", "set", cable, "master", "bridge", "up")
    _run("ip", "-n", namespace, "address", "add", address, "dev", "eth0")
    _run("ip", "-n", namespace, "link", "set", "eth0", "up")


def _run(*command: str | Path) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"{' '.join(str(word) for word in command)}: {answer.stderr.strip()}")
