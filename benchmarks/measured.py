"""Measure the steps of a benchmark: wall time, CPU of all its processes, and peak PSS by kind of process.

PSS (proportional set size) divides shared pages among the processes that share them. Workers are added up.
"""

from __future__ import annotations

import time
from threading import Event, Thread
from types import TracebackType

import psutil

EVERY_S = 0.5


class Meter:
    """Measures this process and its children, such as Spark's JVM and its Python workers, step by step.

    Children that were there before, such as services, do not count.
    """

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._others = set(self._own.children(recursive=True))
        self._stopping = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._began = self._since = time.monotonic()
        self._cpu = self._cpu_of_all = 0.0
        self._peaks: dict[str, float] = {}
        self._highest: dict[str, float] = {}

    def __enter__(self) -> Meter:
        """Start sampling every `EVERY_S` seconds."""
        self._cpu = self._cpu_of_all = self._cpu_s()
        self._thread.start()
        print(f"{'wall':>8} {'CPU':>8}  highest PSS in MB", flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling."""
        self._stopping.set()
        self._thread.join()

    def step(self, name: str) -> dict[str, float]:
        """Print the cost since the last step. Return the peaks in MB, by kind of process."""
        self._look()
        self._print(name, self._since, self._cpu, self._peaks)
        peaks = self._peaks
        self._since, self._cpu, self._peaks = time.monotonic(), self._cpu_s(), {}
        return peaks

    def total(self) -> None:
        """Print the total cost."""
        self._print("in all", self._began, self._cpu_of_all, self._highest)

    def _print(self, name: str, since: float, cpu: float, peaks: dict[str, float]) -> None:
        shown = ", ".join(f"{who} {size:,.0f}" for who, size in sorted(peaks.items()))
        print(f"{time.monotonic() - since:6.0f} s {self._cpu_s() - cpu:6.0f} s  {shown:<44} {name}", flush=True)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        now: dict[str, float] = {}
        for process in self._processes():
            try:
                who = "driver" if process == self._own else "JVM" if process.name() == "java" else "workers"
                now[who] = now.get(who, 0.0) + process.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
        for peaks in (self._peaks, self._highest):
            peaks |= {who: max(peaks.get(who, 0.0), size) for who, size in now.items()}

    def _cpu_s(self) -> float:
        spent = 0.0
        for process in self._processes():
            try:
                spent += sum(process.cpu_times()[:2])
            except psutil.Error:
                continue
        return spent

    def _processes(self) -> list[psutil.Process]:
        return [self._own, *(each for each in self._own.children(recursive=True) if each not in self._others)]
