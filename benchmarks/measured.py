"""Measure the steps of a benchmark: wall time, CPU of all its processes, and the peak PSS of each process."""

from __future__ import annotations

import time
from threading import Event, Thread
from types import TracebackType

import psutil

EVERY_S = 1.0


class Meter:
    """Measures this process and its children, such as Spark's JVM and its Python workers, step by step."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._stopping = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._began = self._since = time.monotonic()
        self._cpu = self._cpu_of_all = 0.0
        self._peaks: dict[str, float] = {}
        self._highest: dict[str, float] = {}

    def __enter__(self) -> Meter:
        """Start sampling every second."""
        self._cpu = self._cpu_of_all = self._cpu_s()
        self._thread.start()
        print(f"{'wall':>8} {'CPU':>8}  highest PSS in MB, by process", flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling."""
        self._stopping.set()
        self._thread.join()

    def step(self, name: str) -> None:
        """Print the cost since the last step."""
        self._look()
        self._print(name, self._since, self._cpu, self._peaks)
        self._since, self._cpu, self._peaks = time.monotonic(), self._cpu_s(), {}

    def total(self) -> None:
        """Print the total cost."""
        self._print("in all", self._began, self._cpu_of_all, self._highest)

    def _print(self, name: str, since: float, cpu: float, peaks: dict[str, float]) -> None:
        shown = ", ".join(f"{who} {size:,.0f}" for who, size in sorted(peaks.items()))
        print(f"{time.monotonic() - since:6.0f} s {self._cpu_s() - cpu:6.0f} s  {shown:<36} {name}", flush=True)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        for process in self._processes():
            try:
                who = "driver" if process == self._own else "JVM" if process.name() == "java" else "worker"
                size = process.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
            self._peaks[who] = max(self._peaks.get(who, 0.0), size)
            self._highest[who] = max(self._highest.get(who, 0.0), size)

    def _cpu_s(self) -> float:
        spent = 0.0
        for process in self._processes():
            try:
                spent += sum(process.cpu_times()[:2])
            except psutil.Error:
                continue
        return spent

    def _processes(self) -> list[psutil.Process]:
        return [self._own, *self._own.children(recursive=True)]
