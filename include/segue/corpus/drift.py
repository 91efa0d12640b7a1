"""Measure how far some days are from the last good run: descriptors, missing values, and genres.

This module compares the figures of two cleaning reports, and needs no Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from segue.corpus.reports import NO_GENRE, Measured

MIN_TRACKS = 30
"""Smallest sample to compare. Two smaller samples may have a distance of 0.4 by chance alone."""

COMPARABLE = 5
"""Genres are compared only if neither run has more than this many times the tracks of the other. One album cannot
have the genres of a whole archive, and a corpus that grows tenfold overnight is mostly other music."""

PROBABILITIES = tuple(round(0.1 * each, 1) for each in range(11))
"""Probabilities of the quantiles in a report."""


@dataclass(frozen=True)
class GenreShift:
    """How far the genres have moved.

    Attributes
    ----------
    vanished : float
        Sum of the earlier shares of the genres that are gone, 0 to 1.
    risen : float
        Largest rise of a genre's share.
    """

    vanished: float
    risen: float


@dataclass(frozen=True)
class Drift:
    """How far descriptors and missing values have moved.

    Attributes
    ----------
    distances : dict of str to float
        The `ks_distance` of each descriptor.
    null_rises : dict of str to float
        Rise of the share of tracks without a value, by column.
    """

    distances: dict[str, float] = field(default_factory=dict)
    null_rises: dict[str, float] = field(default_factory=dict)


def ks_distance(some: Sequence[float], others: Sequence[float]) -> float:
    """Estimate the Kolmogorov-Smirnov distance of two samples from their quantiles.

    Parameters
    ----------
    some, others : sequence of float
        Quantiles at `PROBABILITIES`.

    Returns
    -------
    float
        0 for equal distributions, 1 for distributions that do not overlap.

    Examples
    --------
    >>> [ks_distance(range(11), range(start, start + 11)) for start in (0, 5, 20)]
    [0.0, 0.5, 1.0]
    """
    at = np.union1d(some, others)
    distances = np.interp(at, some, PROBABILITIES) - np.interp(at, others, PROBABILITIES)
    return float(np.abs(distances).max())


def genre_shares(genres: Mapping[str, int]) -> dict[str, float]:
    """Return each genre's share of the tracks that have one.

    Parameters
    ----------
    genres : mapping of str to int
        Tracks by genre, as in `Measured`.
    """
    labelled = {name: tracks for name, tracks in genres.items() if name != NO_GENRE}
    return {name: tracks / sum(labelled.values()) for name, tracks in labelled.items()}


def compare_genres(now: Measured, then: Measured) -> GenreShift | None:
    """Measure how far the genres have moved.

    Parameters
    ----------
    now, then : Measured
        Figures of a run, and of the run to compare it with.

    Returns
    -------
    GenreShift or None
        None if either run has fewer than `MIN_TRACKS` tracks with a genre, or more than `COMPARABLE` times as many
        as the other.
    """
    n, m = (each.tracks - each.genres.get(NO_GENRE, 0) for each in (now, then))
    if min(n, m) < MIN_TRACKS or max(n, m) > COMPARABLE * min(n, m):
        return None
    shares, earlier = genre_shares(now.genres), genre_shares(then.genres)
    return GenreShift(
        vanished=sum(share for name, share in earlier.items() if name not in shares),
        risen=max(share - earlier.get(name, 0.0) for name, share in shares.items()),
    )


def compare(now: Measured, then: Measured) -> Drift:
    """Measure how far descriptors and missing values have moved.

    Parameters
    ----------
    now, then : Measured
        Figures of a run, and of the run to compare it with. Descriptors and columns that only one of them has are
        left out.

    Returns
    -------
    Drift
        Empty if either run has fewer than `MIN_TRACKS` tracks.
    """
    if min(now.tracks, then.tracks) < MIN_TRACKS:
        return Drift()
    return Drift(
        distances={
            name: ks_distance(quantiles, earlier)
            for name, quantiles in now.quantiles.items()
            if quantiles and (earlier := then.quantiles.get(name))
        },
        null_rises={
            name: nulls / now.tracks - then.null[name] / then.tracks
            for name, nulls in now.null.items()
            if name in then.null
        },
    )
