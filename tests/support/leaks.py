"""Count what a process holds, to see whether something leaks."""

from __future__ import annotations

import gc
import threading

import psutil


def held() -> tuple[int, int]:
    """Count this process' threads and handles."""
    gc.collect()  # clients hold themselves in circles
    return threading.active_count(), psutil.Process().num_fds()


def grown(before: tuple[int, int]) -> int:
    """Count the threads or handles that came since `before`, whichever are more."""
    return max(now - then for now, then in zip(held(), before, strict=True))
