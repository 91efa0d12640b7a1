"""The extractor of a Spark worker."""

from __future__ import annotations

from functools import cache

from segue.audio.isolation.extractor import IsolatedExtractor


@cache
def extractor() -> IsolatedExtractor:
    """Return the extractor of this Python worker, and start it at the first call.

    Spark reuses workers, and a start takes seconds. The child process of the extractor ends with the worker.

    Returns
    -------
    IsolatedExtractor
    """
    return IsolatedExtractor().__enter__()
