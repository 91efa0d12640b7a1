"""Sample the resources of a stack's processes every few seconds into a JSON-lines file, and add them up.

A process's environment names its service (`segue.stack.processes`). If the process belongs to a Spark job,
Airflow's ``AIRFLOW_CTX_…`` variables name the job's task. Each sample is appended as a line. So a run that is
killed keeps its samples, and a continued run adds to them.

- *CPU* and *bytes* of a task are summed over its processes and the children that these have waited for. The
  largest sum of all samples counts. Work after the last sample is missing. The costs of a task that starts no
  process count for the scheduler.
- *CPU* of a service is that of its own processes, without tasks.
- *PSS* (proportional set size) divides shared pages among the processes that share them.
- *Bytes* are those moved by read and write calls, whether from the page cache or the disk.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from segue.stack import processes

IDLE = "idle"
"""The step in which the stack has nothing to do."""


class Sampler:
    """A thread that samples a stack every `every_s` seconds.

    Parameters
    ----------
    state_dir : Path
        State folder of the stack.
    file : Path
        Gets one line per sample.
    every_s : float
        Seconds from one sample to the next.

    Attributes
    ----------
    step : str
        Name of the current step; stored with each sample.
    """

    def __init__(self, state_dir: Path, file: Path, every_s: float) -> None:
        self._state_dir = state_dir
        self._file = file
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._taken = 0
        self.step = IDLE

    @contextmanager
    def running(self) -> Iterator[Sampler]:
        """Sample until the end of the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()

    def wait_for(self, samples: int) -> None:
        """Wait until there are so many samples.

        Raises
        ------
        RuntimeError
            If sampling has ended before that. Standard error has the reason.
        """
        while self._taken < samples:
            if not self._thread.is_alive():
                raise RuntimeError("The sampling of processes has ended with an error.")
            time.sleep(1)

    def _run(self) -> None:
        with self._file.open("a", encoding="utf-8", buffering=1) as file:
            while True:
                file.write(json.dumps(self._sample()) + "\n")
                self._taken += 1
                if self._stopping.wait(self._every_s):
                    return

    def _sample(self) -> dict[str, Any]:
        sample: dict[str, Any] = {"at": time.time(), "step": self.step, "processes": []}
        for process in processes.of(self._state_dir):
            try:
                sample["processes"].append(_look_at(process))
            except psutil.Error:
                continue  # it has just ended
        return sample


def _look_at(process: psutil.Process) -> dict[str, Any]:
    with process.oneshot():
        environment, cpu, io = process.environ(), process.cpu_times(), process.io_counters()
        task = None
        if "AIRFLOW_CTX_TASK_ID" in environment:
            task = "/".join(environment[f"AIRFLOW_CTX_{name}"] for name in ("DAG_ID", "DAG_RUN_ID", "TASK_ID"))
        return {
            "pid": process.pid,
            "service": environment.get(processes.SERVICE_MARKER),
            "task": task,
            "java": process.name() == "java",
            "cpu_s": cpu.user + cpu.system,
            "children_cpu_s": cpu.children_user + cpu.children_system,
            "pss": processes.pss_bytes([process]),
            "read": io.read_chars,
            "written": io.write_chars,
        }


@dataclass
class Use:
    """Resources of a task, a service or the whole stack; memory in bytes, at its peak."""

    cpu_s: float = 0.0
    pss: float = 0.0
    java_pss: float = 0.0
    python_pss: float = 0.0
    idle_pss: float | None = None
    one_process_pss: float = 0.0
    read: float = 0.0
    written: float = 0.0

    def see(self, found: list[dict[str, Any]]) -> None:
        """Add the memory of one sample."""
        java = sum(each["pss"] for each in found if each["java"])
        python = sum(each["pss"] for each in found if not each["java"])
        self.java_pss, self.python_pss = max(self.java_pss, java), max(self.python_pss, python)
        self.pss = max(self.pss, java + python)
        self.one_process_pss = max([self.one_process_pss, *(each["pss"] for each in found)])


@dataclass(frozen=True)
class Used:
    """Resources of a whole run.

    Attributes
    ----------
    tasks : dict of str to Use
        By ``<dag_id>/<run_id>/<task_id>``.
    services : dict of str to Use
        By name.
    together : Use
        All processes of the stack.
    """

    tasks: dict[str, Use]
    services: dict[str, Use]
    together: Use


def read(file: Path) -> Used:
    """Add up the samples of a file."""
    tasks, services, together = defaultdict(Use), defaultdict(Use), Use()
    service_cpu: dict[tuple[str, int], float] = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                sample = json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line of a run that was killed
            of_tasks, of_services = defaultdict(list), defaultdict(list)
            for each in sample["processes"]:
                if each["task"]:
                    of_tasks[each["task"]].append(each)
                else:
                    of_services[each["service"]].append(each)
            together.see(sample["processes"])
            for name, found in of_tasks.items():
                use = tasks[name]
                use.see(found)
                use.cpu_s = max(use.cpu_s, sum(each["cpu_s"] + each["children_cpu_s"] for each in found))
                use.read = max(use.read, sum(each["read"] for each in found))
                use.written = max(use.written, sum(each["written"] for each in found))
            for name, found in of_services.items():
                services[name].see(found)
                for each in found:
                    service_cpu[name, each["pid"]] = max(service_cpu.get((name, each["pid"]), 0.0), each["cpu_s"])
                if sample["step"] == IDLE:
                    services[name].idle_pss = sum(each["pss"] for each in found)
    for (name, _), cpu_s in service_cpu.items():
        services[name].cpu_s += cpu_s
    return Used(dict(tasks), dict(services), together)
