"""Decide whether updates serve, from paired differences in NDCG@10 that add up over windows of listens.

An update is compared with the last version that was promoted without reservation, its *reference*. A window has
few listeners, so it seldom decides alone. The differences of all windows since the reference are pooled:

- If the upper bound of the mean difference is below 0, the update is refused. If the champion is provisional too,
  the reference serves again.
- If the lower bound is above −`DELTA`, the update is promoted without reservation. It is the next reference.
- Otherwise, the update is promoted provisionally, and the next window goes on with the same pool.

The gate looks after every window. So the bounds are those of a :mod:`.confidence_sequence`, which hold at all
looks together. A pool ends with a refusal or with a promotion without reservation. The error of `ERROR` is divided
among the pools since the last full training: the j-th has ERROR / (j·(j + 1)).

A listener may be in several windows, so the differences are clustered by listener. A cluster is a hash of the name
with few values: the registry must not keep names, which would outlive the listener's wish to be forgotten.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from segue.recommender.confidence_sequence import bounds, clusters_of, deviations

DELTA = 0.05
"""How much lower the NDCG@10 of an update may be than its reference's, as a share of the reference's."""

ERROR = 0.05
"""Probability that any bound since the last full training is wrong."""

CLUSTERS = 128
"""Number of values of a listener's hash. All clusters fit into a tag of the registry."""

FEWEST = 10
"""With fewer clusters, nothing is refused and nothing is promoted without reservation."""


class Verdict(StrEnum):
    """What the gate decides."""

    REFUSED = "refused"
    PROVISIONAL = "promoted provisionally"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class Pool:
    """Differences that add up over windows.

    Parameters
    ----------
    gained : tuple of float, length CLUSTERS
        Sums of the update's NDCG@10 minus the reference's, by cluster.
    reference : tuple of float, length CLUSTERS
        Sums of the reference's NDCG@10.
    windows : int
    number : int
        How many pools there have been since the last full training, this one included.
    """

    gained: tuple[float, ...] = (0.0,) * CLUSTERS
    reference: tuple[float, ...] = (0.0,) * CLUSTERS
    windows: int = 0
    number: int = 1

    def next(self) -> Pool:
        """Return the empty pool that follows this one."""
        return Pool(number=self.number + 1)

    def with_window(
        self, names: Sequence[str], update: NDArray[np.float64], reference: NDArray[np.float64]
    ) -> Pool:
        """Add a window.

        Parameters
        ----------
        names : sequence of str
            The listeners.
        update, reference : ndarray, shape (n_listeners,)
            NDCG@10 of the update and of its reference.
        """
        if not len(names):
            return self
        cluster = np.array([zlib.crc32(name.encode()) % CLUSTERS for name in names])
        gained = np.bincount(cluster, update - reference, CLUSTERS) + self.gained
        before = np.bincount(cluster, reference, CLUSTERS) + self.reference
        return Pool(tuple(gained.tolist()), tuple(before.tolist()), self.windows + 1, self.number)

    def bounds(self) -> tuple[float, float, float]:
        """Return the relative difference and its bounds. They are infinite if too little is known."""
        gained, reference = np.array(self.gained), np.array(self.reference)
        away = deviations(clusters_of(gained, reference), ERROR / (self.number * (self.number + 1)))
        return bounds(gained, reference, away=away, fewest=FEWEST)

    def verdict(self) -> Verdict:
        """Decide by the bounds. Refusal comes first."""
        _, low, high = self.bounds()
        if high < 0:
            return Verdict.REFUSED
        return Verdict.PROMOTED if low > -DELTA else Verdict.PROVISIONAL

    def in_words(self) -> str:
        """Say what the pool shows, such as ``+1.1 % (−4.0 % to +6.2 %) over 3 windows``."""
        mean, low, high = self.bounds()
        over = f"over {self.windows} window{'s' if self.windows != 1 else ''}"
        if not np.isfinite(low):
            return f"{mean:+.1%} {over}, too few listeners for bounds"
        return f"{mean:+.1%} ({low:+.1%} to {high:+.1%}) {over}"

    def to_json(self) -> str:
        """Write the pool for a tag of the registry."""
        sums = [[float(f"{value:.4g}") for value in each] for each in (self.gained, self.reference)]
        return json.dumps([self.windows, self.number, *sums], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Pool:
        """Read what :meth:`to_json` wrote."""
        windows, number, gained, reference = json.loads(text)
        return cls(tuple(gained), tuple(reference), windows, number)
