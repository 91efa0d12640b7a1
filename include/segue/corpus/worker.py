"""The extractor of a Spark worker."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits, configured


def extractor(limits: Limits | None = None) -> IsolatedExtractor:
    """Return the extractor of this Python worker, and start it at the first call.

    Spark reuses workers, and a start takes seconds. The child process of the extractor ends with the worker.

    Parameters
    ----------
    limits : Limits, optional
        By default those of this process's settings, without an embedding. They suffice to read tags.

    Returns
    -------
    IsolatedExtractor
    """
    return _started(limits or replace(configured(), embedding=None))


@cache
def _started(limits: Limits) -> IsolatedExtractor:
    return IsolatedExtractor(limits).__enter__()
