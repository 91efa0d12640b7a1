"""Item-to-item models: a track gets the weighted sum of its relations to what the listener has played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

EASE_TRACKS = 12_000
"""EASE inverts a matrix of this side at most, that of the tracks with the most listeners; the others get none."""

DOUBLE_PRECISION_TRACKS = 6_000
"""Above it the inverse is computed in single precision, to halve its memory."""

KEPT = 200
"""Relations that a track keeps in the product."""

BLOCK = 2_000


@dataclass(frozen=True)
class Neighbours:
    """Scores by ``ln(1 + plays) @ relations``.

    Parameters
    ----------
    relations : csr_matrix or ndarray of float32, shape (n_tracks, n_tracks)
        What a play of the row's track says for the column's.
    """

    relations: sparse.csr_matrix | NDArray[np.float32]

    def scores(self, history: sparse.csr_matrix) -> NDArray[np.float32]:
        """Score the catalogue for listeners; `history` holds plays, shape (n_listeners, n_tracks)."""
        scores = history.log1p() @ self.relations
        return _dense(scores).astype(np.float32, copy=False)

    def contributions(
        self, tracks: NDArray[np.int64], plays: NDArray[np.float32], targets: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Divide the scores of `targets` among the tracks played; shape (n_played, n_targets)."""
        return np.log1p(plays, dtype=np.float64)[:, None] * self._between(tracks, targets)

    def _between(self, tracks: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Select relations, shape (n_tracks, n_targets); `targets` are each once."""
        if isinstance(self.relations, np.ndarray):
            return np.asarray(self.relations[np.ix_(tracks, targets)])
        # As relations[tracks][:, targets], whose checks cost several times as much as its work.
        begin = self.relations.indptr[tracks].astype(np.int64)
        sizes = self.relations.indptr[tracks + 1] - begin
        at = np.arange(sizes.sum()) + np.repeat(begin - np.cumsum(sizes) + sizes, sizes)
        place = np.full(self.relations.shape[1], -1, dtype=np.int32)
        place[targets] = np.arange(len(targets))
        column = place[self.relations.indices[at]]
        found = column >= 0
        part = np.zeros((len(tracks), len(targets)), dtype=np.float32)
        part[np.repeat(np.arange(len(tracks)), sizes)[found], column[found]] = self.relations.data[at[found]]
        return part

    def truncated(self, kept: int = KEPT) -> Neighbours:
        """Keep for each track the `kept` strongest relations that speak for or against it."""
        columns = [
            _strongest(self.relations[:, start : start + BLOCK], kept)
            for start in range(0, self.relations.shape[1], BLOCK)
        ]
        return Neighbours(sparse.hstack(columns, format="csr", dtype=np.float32))


def cosine(history: sparse.csr_matrix, *, balance: float = 0.5, kept: int | None = None) -> Neighbours:
    """Relate tracks by the cosine of their columns of ln(1 + plays).

    Parameters
    ----------
    history : csr_matrix, shape (n_listeners, n_tracks)
    balance : float
        0.5 is the cosine. Less punishes popular targets less (asymmetric cosine, Aiolli 2013): the inner product
        is divided by |played|^(2 − 2·balance) · |target|^(2·balance).
    kept : int, optional
        Relations kept a track; default all.
    """
    strengths = history.log1p().tocsc()
    norms = np.sqrt(np.asarray(strengths.multiply(strengths).sum(axis=0)).ravel())
    safe = np.where(norms > 0, norms, 1)
    source = strengths @ sparse.diags(safe ** (-2 * (1 - balance)))
    target = strengths @ sparse.diags(safe ** (-2 * balance))
    blocks = []
    for start in range(0, strengths.shape[1], BLOCK):
        block = (source.T @ target[:, start : start + BLOCK]).tocoo()
        off = block.row != block.col + start
        clean = sparse.csr_matrix((block.data[off], (block.row[off], block.col[off])), shape=block.shape)
        blocks.append(clean if kept is None else _strongest(clean, kept))
    return Neighbours(sparse.hstack(blocks, format="csr", dtype=np.float32))


def ease(history: sparse.csr_matrix, *, regularization: float) -> Neighbours:
    """Fit EASE in closed form: B = I − P·diag(1/diag(P)), P = (XᵀX + λI)⁻¹ (Steck 2019).

    Parameters
    ----------
    history : csr_matrix, shape (n_listeners, n_tracks)
        X is ln(1 + plays).
    regularization : float
        λ.

    Returns
    -------
    Neighbours
        Dense where all tracks took part.
    """
    strengths = history.log1p().tocsc()
    n_tracks = strengths.shape[1]
    listeners = np.diff(strengths.indptr)
    chosen = np.sort(np.argsort(-listeners, kind="stable")[:EASE_TRACKS])
    dtype = np.float64 if len(chosen) <= DOUBLE_PRECISION_TRACKS else np.float32
    part = strengths[:, chosen].astype(dtype)
    gram = (part.T @ part).toarray()
    gram[np.diag_indices_from(gram)] += regularization
    relations = _inverse(gram)
    relations /= -np.diag(relations).copy()
    np.fill_diagonal(relations, 0)
    relations = relations.astype(np.float32, copy=False)
    if len(chosen) == n_tracks:
        return Neighbours(relations)
    small = sparse.coo_matrix(Neighbours(relations).truncated().relations)
    return Neighbours(
        sparse.csr_matrix((small.data, (chosen[small.row], chosen[small.col])), shape=(n_tracks, n_tracks))
    )


def _inverse(positive: NDArray[np.floating]) -> NDArray[np.floating]:
    """Invert a symmetric positive definite matrix by its Cholesky factor, in place."""
    potrf, potri = linalg.get_lapack_funcs(("potrf", "potri"), (positive,))
    factor, failed = potrf(positive.T, lower=True, overwrite_a=True)
    if failed:
        raise linalg.LinAlgError(f"EASE's matrix is not positive definite at {failed}: regularise more.")
    half, _ = potri(factor, lower=True, overwrite_c=True)
    lower = np.tril(half)
    return np.asarray(lower + np.tril(half, -1).T)


def _dense(matrix: Any) -> NDArray[np.float32]:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix)


def _strongest(block: sparse.csr_matrix | NDArray[np.float32], kept: int) -> sparse.csr_matrix:
    """Keep in each column the `kept` elements of the largest magnitude."""
    columns = sparse.csc_matrix(block)
    sizes = np.diff(columns.indptr)
    column = np.repeat(np.arange(columns.shape[1]), sizes)
    order = np.lexsort((-np.abs(columns.data), column))
    place = np.arange(columns.nnz) - np.repeat(columns.indptr[:-1], sizes)
    chosen = order[place < kept]
    return sparse.csr_matrix(
        (columns.data[chosen], (columns.indices[chosen], column[chosen])), shape=columns.shape
    )
