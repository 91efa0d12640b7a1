"""How far a partition is from the last good one: descriptors, what is missing more often, and genres.

It compares two reports of `segue.corpus.integrate` and needs no Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MIN_TRACKS = 30
"""Fewer tracks are not compared, nor compared with: by chance alone they may be 0.4 apart."""

NO_GENRE = "(none)"
"""How a report calls tracks without a genre."""

COMPARABLE = 5
"""Genres are compared with those of at most so many times as many tracks: an album is not like a whole archive,
and a corpus that grows tenfold overnight is mostly other music."""

PROBABILITIES = tuple(round(0.1 * each, 1) for each in range(11))
"""The quantiles of a report."""


def ks_distance(some: Sequence[float], others: Sequence[float]) -> float:
    """Measure the Kolmogorov-Smirnov distance of two samples, as far as their quantiles tell.

    Parameters
    ----------
    some, others : sequence of float
        Quantiles at `PROBABILITIES`.

    Returns
    -------
    float
        0 for equal distributions, 1 for such as do not overlap.

    Examples
    --------
    >>> [ks_distance(range(11), range(start, start + 11)) for start in (0, 5, 20)]
    [0.0, 0.5, 1.0]
    """
    at = np.union1d(some, others)
    distances = np.interp(at, some, PROBABILITIES) - np.interp(at, others, PROBABILITIES)
    return float(np.abs(distances).max())


def genre_shares(report: Mapping[str, Any]) -> dict[str, float]:
    """Give each genre's share of the tracks that have one."""
    labelled = {name: tracks for name, tracks in report["genres"].items() if name != NO_GENRE}
    return {name: tracks / sum(labelled.values()) for name, tracks in labelled.items()}


def compare_genres(report: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, float]:
    """Measure how far the classes have moved.

    Parameters
    ----------
    report, reference : mapping
        As for `measure`.

    Returns
    -------
    dict
        `vanished`: share that the genres had together which are gone. `risen`: largest rise of a genre's share.
        Empty where either has less than `MIN_TRACKS` tracks with a genre, or `COMPARABLE` times the other's.
    """
    n, m = (each["tracks"] - each["genres"].get(NO_GENRE, 0) for each in (report, reference))
    if min(n, m) < MIN_TRACKS or max(n, m) > COMPARABLE * min(n, m):
        return {}
    now, then = genre_shares(report), genre_shares(reference)
    return {
        "vanished": sum(share for name, share in then.items() if name not in now),
        "risen": max(share - then.get(name, 0.0) for name, share in now.items()),
    }


def measure(report: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Compare a report with an earlier one.

    Parameters
    ----------
    report, reference : mapping
        What `segue.corpus.integrate.run` returned.

    Returns
    -------
    dict
        `drift`: by descriptor, the `ks_distance`. `null_rise`: by column, how much its share of nulls has risen.
        Both empty where either report has less than `MIN_TRACKS`.
    """
    n, m = report["tracks"], reference["tracks"]
    if min(n, m) < MIN_TRACKS:
        return {"drift": {}, "null_rise": {}}
    drift = {
        name: ks_distance(quantiles, reference["quantiles"][name])
        for name, quantiles in report["quantiles"].items()
        if name in reference["quantiles"]
    }
    null_rise = {
        name: nulls / n - reference["null"][name] / m
        for name, nulls in report["null"].items()
        if name in reference["null"]
    }
    return {"drift": drift, "null_rise": null_rise}
