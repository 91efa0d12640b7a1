"""When listeners last played tracks: what popularity needs to know about time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LastPlays:
    """When each listener last played each track.

    Parameters
    ----------
    track : ndarray of int, shape (n_pairs,)
        Track of each pair of listener and track.
    age_days : ndarray of float64, shape (n_pairs,)
        Time from the pair's last play to the newest play of all, in days.
    """

    track: NDArray[np.integer[Any]]
    age_days: NDArray[np.float64]
