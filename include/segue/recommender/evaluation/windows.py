"""Divide plays into those that a model learns from and those that it is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.errors import TrainingError
from segue.recommender.interactions import core
from segue.recommender.timeline import Timeline

if TYPE_CHECKING:
    from segue.recommender.interactions import Interactions

VALIDATION_SHARE, TEST_SHARE = 0.2, 0.1
"""Shares of all plays. Validation has the larger share: if there are few plays, the best choice on a tenth of them
is often just the luckiest."""

HOLDOUT_SHARE = 0.2
"""Share of each listener's tracks that is held out if the plays have no times."""


@dataclass(frozen=True)
class Window:
    """Play counts before a window in time, and those in it.

    Parameters
    ----------
    train : csr_matrix, shape (n_listeners, n_tracks)
        What a model learns from.
    held_out : csr_matrix, shape (n_listeners, n_tracks)
        What it is evaluated on.
    timeline, later : Timeline, optional
        Plays of the training part and held-out plays, in the order of time; None if the plays have no times.
    session : csr_matrix, shape (n_listeners, n_tracks), optional
        Ranks of the tracks of the session that each listener is in, from :func:`.session_ranks`.
    """

    train: sparse.csr_matrix
    held_out: sparse.csr_matrix
    timeline: Timeline | None = None
    later: Timeline | None = None
    session: sparse.csr_matrix | None = None

    def session_of(self, listeners: NDArray[Any]) -> sparse.csr_matrix | None:
        """Select rows of `session`."""
        return None if self.session is None else self.session[listeners]


@dataclass(frozen=True)
class Split:
    """A validation and a test window.

    Parameters
    ----------
    validation : Window
        All choices are made on it.
    test : Window
        Used once, at the end. Its training plays include those of the validation window.
    how : str
        How the plays were divided, in words.
    """

    validation: Window
    test: Window
    how: str


def by_time(interactions: Interactions, min_interactions: int = 1) -> Split:
    """Divide at two points in time, the same for all listeners, as in real use.

    Plays at the same time are never divided.

    Parameters
    ----------
    interactions : Interactions
    min_interactions : int
        Keep the listeners and tracks that have this many of each other in the plays before validation: their
        k-core. Later plays must not decide who is evaluated.

    Raises
    ------
    CorpusError
        If nobody has so many.
    TrainingError
        If the plays have no times, or one of the parts would have no plays.
    """
    if interactions.timestamp is None:
        raise TrainingError("The plays have no times to divide them by.")
    first, second = _reached(
        interactions.timestamp, interactions.plays, (1 - VALIDATION_SHARE - TEST_SHARE, 1 - TEST_SHARE)
    )
    if min_interactions > 1:
        learnt_from = interactions.matrix(interactions.timestamp < first)
        interactions = interactions.among(*core(learnt_from, min_interactions))
    times: NDArray[np.float64] = np.asarray(interactions.timestamp)
    parts = [times < first, (times >= first) & (times < second), times >= second]
    if not all(part.any() for part in parts):
        raise TrainingError(
            "The plays do not differ enough in time to divide them: drop the timestamp column to divide at random."
        )
    before, validation, test = (interactions.matrix(part) for part in parts)
    day = [str(np.datetime64(int(t), "s")) for t in (first, second)]
    how = f"one split in time for all listeners: validation from {day[0]}, test from {day[1]} (UTC)"
    how += _cored(min_interactions)
    known = times < second
    return Split(
        Window(before, validation, interactions.timeline(parts[0]), interactions.timeline(parts[1])),
        Window(interactions.matrix(known), test, interactions.timeline(known), interactions.timeline(parts[2])),
        how,
    )


def at_random(plays: sparse.csr_matrix, seed: int, min_interactions: int = 1) -> Split:
    """Hold out a fifth of each listener's tracks at random for the test, then a fifth of the rest for validation.

    Nothing is held out from a listener with fewer than five tracks.

    Parameters
    ----------
    plays : csr_matrix, shape (n_listeners, n_tracks)
    seed : int
    min_interactions : int
        As for `by_time`, in the plays that are in neither part.

    Raises
    ------
    CorpusError
        If nobody has so many.
    """
    random = np.random.default_rng(seed)
    known, test = _hold_out(plays, random)
    before, validation = _hold_out(known, random)
    if min_interactions > 1:
        kept = np.ix_(*core(before, min_interactions))
        known, test, before, validation = (part[kept] for part in (known, test, before, validation))
    how = f"no timestamps: {HOLDOUT_SHARE:.0%} of each listener's tracks held out at random"
    how += _cored(min_interactions)
    return Split(Window(before, validation), Window(known, test), how)


def _reached(times: NDArray[np.float64], plays: NDArray[np.float32], shares: tuple[float, ...]) -> list[float]:
    """Return the times at which these shares of all plays are reached. A row may stand for many plays."""
    order = np.argsort(times, kind="stable")
    played = np.cumsum(plays[order], dtype=np.float64)
    rows = np.searchsorted(played, np.multiply(shares, played[-1]), side="right")
    return [float(time) for time in times[order[rows]]]


def _cored(min_interactions: int) -> str:
    return "" if min_interactions == 1 else f"; only the {min_interactions}-core of what is learnt from"


def _hold_out(
    plays: sparse.csr_matrix, random: np.random.Generator
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    counts = np.diff(plays.indptr)
    rows = np.repeat(np.arange(plays.shape[0]), counts)
    shuffled = np.lexsort((random.random(plays.nnz), rows))
    position = np.empty(plays.nnz, dtype=np.int64)
    position[shuffled] = np.arange(plays.nnz) - np.repeat(plays.indptr[:-1], counts)
    out = position < (counts * HOLDOUT_SHARE).astype(np.int64)[rows]
    return _where(plays, rows, ~out), _where(plays, rows, out)


def _where(plays: sparse.csr_matrix, rows: np.ndarray, chosen: np.ndarray) -> sparse.csr_matrix:
    return sparse.csr_matrix((plays.data[chosen], (rows[chosen], plays.indices[chosen])), shape=plays.shape)
