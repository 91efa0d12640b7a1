"""Memory limits of the services, and the size of the document server's cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from segue.settings import Settings
from segue.stack import processes

LIMITS_MB = {
    "kafka": 800,
    "api-server": 1000,
    "dag-processor": 1000,
    "triggerer": 1000,
    "listens-api": 600,
    "live": 600,
    "supervisor": 300,
}
"""Limit of each service with its child processes, in MB. Those of scheduler and MongoDB depend on settings."""
TASKS_MB = 6000
"""Memory for the scheduler's tasks, in addition to the heap of the one Spark application that they run."""
TASKS_RUN_IN = "scheduler"
"""This service is never restarted because of its memory, since its tasks would end with it."""
SETTINGS = {"mongo": "SEGUE_MONGO_MEMORY_MB", "scheduler": "SEGUE_SPARK_DRIVER_MEMORY_MB"}
ONE_ARENA = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Variables of services with many threads. With an arena for each thread, and one of Arrow's, each would keep the
memory of its largest answer."""
CACHE_MINIMUM_MB = 128
CACHE_SHARE_OF_MACHINE = 1 / 32
CACHE_SHARE_OF_LIMIT = 1 / 6
"""The rest of the limit is for answers: the servers build each answer in memory before they send it."""
CACHE_STEP_MB = 32
"""The cache is a multiple of this, so that a small change of the reported memory restarts no server."""


@dataclass(frozen=True)
class Usage:
    """Memory of one service (PSS, with its child processes), and its limit."""

    service: str
    held_bytes: int
    limit_mb: int | None

    @property
    def is_to_be_started_anew(self) -> bool:
        """Whether `segue up` restarts the service to free memory."""
        return bool(self.excess) and self.service != TASKS_RUN_IN

    @property
    def excess(self) -> str | None:
        """A sentence if the service exceeds its limit, else None."""
        if self.limit_mb is None or self.held_bytes <= self.limit_mb * 10**6:
            return None
        remedy = "`segue up` restarts it"
        if self.service == TASKS_RUN_IN:
            remedy = "`segue up` does not restart it, because its tasks would end with it"
        if self.service in SETTINGS:
            remedy += f", and {SETTINGS[self.service]} raises the limit"
        held = f"{self.held_bytes / 1e6:,.0f} MB of memory"
        return f"{self.service} holds {held}, more than its limit of {self.limit_mb:,} MB: {remedy}."


def limit_mb(settings: Settings, service: str) -> int | None:
    """Return the memory limit of a service in MB, or None if there is no such service."""
    derived = {
        "mongo": settings.mongo_memory_mb,
        "scheduler": TASKS_MB + settings.spark_driver_memory_mb,
    }
    return derived.get(service) or LIMITS_MB.get(service)


def usage(settings: Settings) -> list[Usage]:
    """Measure every running service of this stack, sorted by name."""
    found = sorted(processes.by_service(settings.state_dir).items())
    return [Usage(name, processes.pss_bytes(its), limit_mb(settings, name)) for name, its in found]


def document_cache_mb(settings: Settings) -> int:
    """Choose the size of the document server's cache in MiB, from the machine's memory and the server's limit."""
    share = min(machine_bytes() / 2**20 * CACHE_SHARE_OF_MACHINE, settings.mongo_memory_mb * CACHE_SHARE_OF_LIMIT)
    return max(CACHE_MINIMUM_MB, int(share) // CACHE_STEP_MB * CACHE_STEP_MB)


def machine_bytes(groups: Iterable[Path] = (Path("/sys/fs/cgroup/memory.max"),)) -> int:
    """Return the memory of this machine, or of the container that this process runs in, in bytes."""
    limits = [group.read_text().strip() for group in groups if group.exists()]
    return min([psutil.virtual_memory().total, *(int(limit) for limit in limits if limit.isdigit())])
