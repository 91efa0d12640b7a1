"""Extract many files on all cores of one machine, without Spark."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from segue.audio.embedding.session import checked_version
from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits, configured
from segue.audio.results import Rejection, Track


def extract_all(
    paths: Sequence[str | Path], limits: Limits | None = None, *, workers: int | None = None
) -> Iterator[Track | Rejection]:
    """Extract the features of files, each in one of several isolated children.

    Parameters
    ----------
    paths
        The files.
    limits
        Accepted files. Default: `limits.configured`.
    workers
        Number of children. Default: one for each core that this process may use.

    Yields
    ------
    Track or Rejection
        One for each file, in the order of ``paths``.

    Raises
    ------
    ExtractionError
        If no child starts.
    ConfigurationError, PrerequisiteError
        If the model of the embedding cannot be used.
    """
    limits = limits or configured()
    if limits.embedding:
        checked_version(limits.embedding)  # once, and not by each child
    workers = min(workers or len(os.sched_getaffinity(0)), len(paths)) or 1
    idle: SimpleQueue[IsolatedExtractor] = SimpleQueue()

    def extract_one(path: str | Path) -> Track | Rejection:
        extractor = idle.get()
        try:
            return extractor.extract(path)
        finally:
            idle.put(extractor)

    with ExitStack() as children, ThreadPoolExecutor(workers) as threads:
        for _ in range(workers):
            idle.put(children.enter_context(IsolatedExtractor(limits)))
        yield from threads.map(extract_one, paths)
