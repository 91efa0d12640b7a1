"""Item-to-item models: a track's score is the weighted sum of its relations to the tracks that were played."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from segue.runs.progress import parts, step

EASE_TRACKS = 12_000
"""EASE relates only this many tracks, those with the most listeners, because it inverts a matrix of this size."""

DOUBLE_PRECISION_TRACKS = 6_000
"""With more tracks the inverse is computed in single precision, which halves its memory."""

KEPT = 200
"""Number of relations that a track keeps in a model that serves. For EASE, the search chooses it."""

LARGEST_KEPT = 400
"""EASE keeps at most this many relations of a track, unless all tracks take part in it."""

BLOCK = 256
"""Number of tracks whose relations are computed together."""

PLAYED = 5_000
"""Relations are looked up for this many played tracks at once. A listener may have played the whole catalogue."""

_Column = tuple[NDArray[np.integer[Any]], NDArray[np.float32]]
"""Tracks, and how strongly each is related to the track of the column."""


@dataclass(frozen=True)
class Neighbours:
    """Scores by ``ln(1 + plays) @ relations``.

    Parameters
    ----------
    relations : csr_matrix or ndarray of float32, shape (n_tracks, n_tracks)
        How much a play of the row's track speaks for the column's track.
    """

    relations: sparse.csr_matrix | NDArray[np.float32]

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Score the catalogue for listeners; `play_counts` has shape (n_listeners, n_tracks)."""
        del session
        scores = play_counts.log1p() @ self.relations
        return _dense(scores).astype(np.float32, copy=False)

    def contributions(
        self, tracks: NDArray[np.int64], plays: NDArray[np.float32], targets: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Divide the scores of `targets` among the tracks played; shape (n_played, n_targets)."""
        return np.log1p(plays, dtype=np.float64)[:, None] * self.between(tracks, targets)

    def between(self, tracks: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Select relations, shape (n_tracks, n_targets). `targets` has no duplicates."""
        if isinstance(self.relations, np.ndarray):
            return np.asarray(self.relations[np.ix_(tracks, targets)])
        blocks = [
            self._sparse_between(tracks[start : start + PLAYED], targets)
            for start in range(0, len(tracks), PLAYED)
        ]
        return np.concatenate(blocks) if blocks else np.zeros((0, len(targets)), dtype=np.float32)

    def _sparse_between(self, tracks: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float32]:
        # This computes relations[tracks][:, targets] without SciPy's checks. They cost several times as much as
        # the work.
        relations: sparse.csr_matrix = self.relations
        begin = relations.indptr[tracks].astype(np.int64)
        sizes = relations.indptr[tracks + 1] - begin
        at = np.arange(sizes.sum()) + np.repeat(begin - np.cumsum(sizes) + sizes, sizes)
        place = np.full(relations.shape[1], -1, dtype=np.int32)
        place[targets] = np.arange(len(targets))
        column = place[relations.indices[at]]
        found = column >= 0
        part = np.zeros((len(tracks), len(targets)), dtype=np.float32)
        part[np.repeat(np.arange(len(tracks)), sizes)[found], column[found]] = relations.data[at[found]]
        return part

    def truncated(self, kept: int = KEPT) -> Neighbours:
        """Return a copy that has, for each track, only the `kept` relations of the largest magnitude."""
        if isinstance(self.relations, np.ndarray):
            columns: Iterator[_Column] = ((np.arange(len(each)), each) for each in self.relations.T)
        else:
            columns = _rows(self.relations.tocsc())
        return Neighbours(_joined((_strongest(*column, kept) for column in columns), self.relations.shape[1]))

    def placed(self, chosen: NDArray[np.int64], n_tracks: int) -> Neighbours:
        """Return these relations in a catalogue of `n_tracks`, in which the tracks have the positions `chosen`."""
        small = sparse.coo_matrix(self.relations)
        place = (chosen[small.row], chosen[small.col])
        return Neighbours(sparse.csr_matrix((small.data, place), shape=(n_tracks, n_tracks)))


def cosine(play_counts: sparse.csr_matrix, *, balance: float = 0.5, kept: int | None = None) -> Neighbours:
    """Relate tracks by the cosine of their columns of ln(1 + plays).

    Parameters
    ----------
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
    balance : float
        Exponent of the asymmetric cosine (Aiolli 2013): the inner product is divided by
        |played|^(2 − 2·balance) · |target|^(2·balance). 0.5 is the cosine. Below 0.5, popular targets score
        higher.
    kept : int, optional
        Relations kept for each track; default all.
    """
    strengths = play_counts.log1p().tocsc()
    norms = np.sqrt(np.asarray(strengths.multiply(strengths).sum(axis=0)).ravel())
    safe = np.where(norms > 0, norms, 1)
    source = (strengths @ sparse.diags(safe ** (-2 * (1 - balance)))).tocsr()
    targets = (strengths @ sparse.diags(safe ** (-2 * balance))).tocsc().T
    return multiplied(source, targets, kept, "Item cosine")


def multiplied(source: sparse.csr_matrix, targets: sparse.csr_matrix, kept: int | None, what: str) -> Neighbours:
    """Relate tracks by sourceᵀ · targetsᵀ, without the diagonal, a block of columns at a time.

    Parameters
    ----------
    source : csr_matrix, shape (n_listeners, n_tracks)
    targets : csr_matrix, shape (n_tracks, n_listeners)
    kept : int or None
        Relations kept for each target; None for all.
    what : str
        First words of the progress lines.
    """

    def columns() -> Iterator[_Column]:
        starts = range(0, targets.shape[0], BLOCK)
        for start in parts(starts, len(starts), what):
            block = targets[start : start + BLOCK] @ source
            for target, (tracks, values) in enumerate(_rows(block), start):
                others = tracks != target
                yield tracks[others], values[others]

    found = columns() if kept is None else (_strongest(*column, kept) for column in columns())
    return Neighbours(_joined(found, targets.shape[0]))


@dataclass(frozen=True)
class Ease:
    """What EASE needs to know about the plays. From this, EASE can be fitted with any λ.

    Parameters
    ----------
    gram : ndarray of float64 or float32, shape (n_chosen, n_chosen)
        XᵀX, where X is ln(1 + plays) of the chosen tracks.
    chosen : ndarray of int, shape (n_chosen,)
        The tracks that take part, at most `EASE_TRACKS`.
    n_tracks : int
        Number of all tracks.
    """

    gram: NDArray[np.floating]
    chosen: NDArray[np.int64]
    n_tracks: int

    @classmethod
    def of(cls, play_counts: sparse.csr_matrix) -> Ease:
        """Compute this from plays, shape (n_listeners, n_tracks)."""
        strengths = play_counts.log1p().tocsc()
        listeners = np.diff(strengths.indptr)
        chosen = np.sort(np.argsort(-listeners, kind="stable")[:EASE_TRACKS])
        dtype = np.float64 if len(chosen) <= DOUBLE_PRECISION_TRACKS else np.float32
        part = strengths[:, chosen].astype(dtype)
        by_listener, by_track = part.tocsr(), part.T
        gram = np.empty((len(chosen), len(chosen)), dtype=dtype)
        for start in range(0, len(chosen), BLOCK):
            gram[start : start + BLOCK] = (by_track[start : start + BLOCK] @ by_listener).toarray()
        return cls(gram, chosen, strengths.shape[1])

    def fit(self, regularization: float) -> Neighbours:
        """Fit in closed form: B = I − P·diag(1/diag(P)), P = (XᵀX + λI)⁻¹ (Steck 2019).

        Parameters
        ----------
        regularization : float
            λ.

        Returns
        -------
        Neighbours
            Dense if all tracks took part. Otherwise it has only the strongest relations.
        """
        relations = self.gram.copy()
        relations[np.diag_indices_from(relations)] += regularization
        with step(f"EASE of {len(relations):,} tracks"):
            relations = _inverse(relations)
        relations /= -np.diag(relations).copy()
        np.fill_diagonal(relations, 0)
        relations = relations.astype(np.float32, copy=False)
        if len(self.chosen) == self.n_tracks:
            return Neighbours(relations)
        return Neighbours(relations).truncated(LARGEST_KEPT).placed(self.chosen, self.n_tracks)


def ease(play_counts: sparse.csr_matrix, *, regularization: float) -> Neighbours:
    """Fit EASE to plays, shape (n_listeners, n_tracks): see :meth:`Ease.fit`."""
    return Ease.of(play_counts).fit(regularization)


def _inverse(positive: NDArray[np.floating]) -> NDArray[np.floating]:
    """Invert a symmetric positive definite matrix by its Cholesky factor, in place."""
    potrf, potri = linalg.get_lapack_funcs(("potrf", "potri"), (positive,))
    factor, failed = potrf(positive.T, lower=True, overwrite_a=True)
    if failed:
        raise linalg.LinAlgError(f"EASE's matrix is not positive definite at {failed}: regularise more.")
    inverse, _ = potri(factor, lower=True, overwrite_c=True)
    for start in range(0, len(inverse), BLOCK):  # only the lower half is computed
        end = start + BLOCK
        own = np.tril(inverse[start:end, start:end])
        inverse[start:end, start:end] = own + np.tril(own, -1).T
        inverse[start:end, end:] = inverse[end:, start:end].T
    return np.asarray(inverse)


def _dense(matrix: Any) -> NDArray[np.float32]:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix)


def _rows(matrix: sparse.csr_matrix | sparse.csc_matrix) -> Iterator[_Column]:
    """Go through the rows of a CSR matrix, or the columns of a CSC matrix."""
    for begin, end in pairwise(matrix.indptr):
        yield matrix.indices[begin:end], matrix.data[begin:end]


def _strongest(tracks: NDArray[np.integer[Any]], values: NDArray[np.float32], kept: int) -> _Column:
    """Keep the `kept` elements of a column with the largest magnitude.

    Of equal elements, keep those of the first tracks.
    """
    if len(values) > kept:
        size = np.abs(values)
        least = np.partition(size, len(size) - kept)[len(size) - kept]
        above, equal = np.flatnonzero(size > least), np.flatnonzero(size == least)
        equal = equal[np.argsort(tracks[equal], kind="stable")][: kept - len(above)]
        chosen = np.concatenate([above, equal])
        tracks, values = tracks[chosen], values[chosen]
    there = values != 0
    return (tracks, values) if there.all() else (tracks[there], values[there])


def _joined(columns: Iterable[_Column], n_tracks: int) -> sparse.csr_matrix:
    """Join columns to a matrix of shape (n_tracks, n_tracks)."""
    # The relations of a large catalogue take a gigabyte, so each list is freed as soon as it is joined.
    tracks, values = [], []
    for some, strengths in columns:
        tracks.append(some.astype(np.int32))
        values.append(strengths.astype(np.float32))
    bounds = np.concatenate([[0], np.cumsum([len(each) for each in tracks])])
    indices = np.concatenate(tracks)
    del tracks
    data = np.concatenate(values)
    del values
    return sparse.csc_matrix((data, indices, bounds), shape=(n_tracks, n_tracks)).tocsr()
