"""How far a partition is from the last good one: distribution of descriptors, and what is missing more often.

It compares two reports of `segue.corpus.integrate` and needs no Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MIN_TRACKS = 30
"""Fewer tracks are not compared, nor compared with: by chance alone they may be 0.4 apart."""

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
