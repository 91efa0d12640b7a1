"""What sounds alike, and where in the space of factors a track belongs that nobody has played: by its audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.models.ranking.factors import Factors
from segue.models.ranking.metrics import FEW
from segue.models.ranking.neighbours import Neighbours

DIMENSIONS = 64
"""Of the space of sound: principal components of the standardised features."""

LARGEST_DEVIATION = 4.0
"""Standard deviations at which a feature is clipped, so that one odd value does not decide."""

ALIKE = 50
"""Tracks that a track is related to by sound."""

SHARPNESS = 4
"""Power of the cosine: near tracks count much more than halfway ones."""

PENALTIES = np.geomspace(1, 1e5, 11)
FOLDS = 5
ARTIST_PRIOR = 2.0
"""How many tracks of an artist it takes to believe half of what sets the artist apart."""

BLOCK = 2_000


def embed(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Place tracks in a space where the angle tells how alike they sound.

    Parameters
    ----------
    features : ndarray of float32, shape (n_tracks, n_features)
        Audio features; not finite ones count as the mean.

    Returns
    -------
    ndarray of float32, shape (n_tracks, at most DIMENSIONS)
        Rows of length 1, or 0 for a track that is average in everything.
    """
    from sklearn.decomposition import PCA

    finite = np.where(np.isfinite(features), features, np.nan).astype(np.float64)
    with np.errstate(invalid="ignore"):
        centre, width = np.nanmean(finite, axis=0), np.nanstd(finite, axis=0)
    scaled = (finite - centre) / np.where(width > 0, width, 1)
    scaled = np.clip(np.nan_to_num(scaled), -LARGEST_DEVIATION, LARGEST_DEVIATION)
    dimensions = min(DIMENSIONS, *scaled.shape)
    placed = PCA(dimensions, svd_solver="covariance_eigh").fit_transform(scaled)
    lengths = np.linalg.norm(placed, axis=1, keepdims=True)
    return np.asarray(placed / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def alike(sounds: NDArray[np.float32], kept: int = ALIKE) -> Neighbours:
    """Relate each track to those nearest by sound, by the cosine to the power of SHARPNESS; itself excluded.

    Parameters
    ----------
    sounds : ndarray of float32, shape (n_tracks, n_dimensions)
        From :func:`embed`.
    kept : int
        Relations a track has at most; only positive cosines count.
    """
    n_tracks = len(sounds)
    kept = min(kept, n_tracks - 1)
    blocks = []
    for start in range(0, n_tracks, BLOCK):
        cosines = sounds[start : start + BLOCK] @ sounds.T
        own = np.arange(len(cosines))
        cosines[own, own + start] = -1
        near = np.argpartition(-cosines, max(kept - 1, 0), axis=1)[:, :kept]
        values = np.maximum(np.take_along_axis(cosines, near, axis=1), 0) ** SHARPNESS
        rows = np.repeat(own, kept)
        blocks.append(sparse.csr_matrix((values.ravel(), (rows, near.ravel())), shape=cosines.shape))
    relations = sparse.vstack(blocks, format="csr", dtype=np.float32)
    relations.eliminate_zeros()
    return Neighbours(relations)


@dataclass(frozen=True)
class ContentMap:
    """Where each track belongs in the space of factors, told by its sound and its artist.

    Parameters
    ----------
    predicted : ndarray of float32, shape (n_tracks, rank)
    penalty : float
        Of the ridge regression, chosen by cross-validation with whole artists held out.
    explained : float
        Share of the factors' variance explained for artists held out (R²); below 0 the mean is better.
    """

    predicted: NDArray[np.float32]
    penalty: float
    explained: float

    @classmethod
    def fit(
        cls, factors: Factors, sounds: NDArray[np.float32], artists: Sequence[str], listeners: NDArray[np.int64]
    ) -> ContentMap:
        """Learn from the tracks that enough listeners have played.

        Whole artists are held out, because a map that recognises artists by their recordings would look better
        than it is for a new one. What an artist's known tracks have in common beyond the sound is added for the
        artist's others, shrunk by ARTIST_PRIOR.

        Parameters
        ----------
        factors : Factors
        sounds : ndarray of float32, shape (n_tracks, n_dimensions)
        artists : sequence of str, length n_tracks
            Empty for unknown.
        listeners : ndarray of int, shape (n_tracks,)
        """
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_predict

        warm = np.flatnonzero(listeners >= FEW)
        names = np.array([artist or f"\0{i}" for i, artist in enumerate(artists)])
        groups = names[warm]
        folds = min(FOLDS, len(np.unique(groups)))
        mean = factors.items[warm].mean(axis=0) if len(warm) else np.zeros(factors.items.shape[1])
        if folds < 2:
            return cls(np.repeat(mean[None, :], len(sounds), axis=0).astype(np.float32), float("inf"), 0.0)
        x, y = sounds[warm].astype(np.float64), factors.items[warm].astype(np.float64)
        search = GridSearchCV(
            Ridge(), {"alpha": PENALTIES / len(warm)}, cv=GroupKFold(folds), scoring="neg_mean_squared_error"
        ).fit(x, y, groups=groups)
        residual = y - cross_val_predict(
            search.best_estimator_, x, y, cv=KFold(folds, shuffle=True, random_state=0)
        )
        predicted = search.best_estimator_.predict(sounds)
        known, member = np.unique(groups, return_inverse=True)
        total = np.zeros((len(known), y.shape[1]))
        np.add.at(total, member, residual)
        apart = total / (np.bincount(member) + ARTIST_PRIOR)[:, None]
        place = np.searchsorted(known, names).clip(max=len(known) - 1)
        of_known = known[place] == names
        predicted[of_known] += apart[place[of_known]]
        explained = 1 + search.best_score_ / float(y.var(axis=0).mean())
        return cls(predicted.astype(np.float32), float(search.best_params_["alpha"]), float(explained))

    def complete(self, factors: Factors, listeners: NDArray[np.int64], prior: float) -> Factors:
        """Mix learned factors with predicted ones: those of a track with few listeners come mostly from its audio.

        Parameters
        ----------
        factors : Factors
        listeners : ndarray of int, shape (n_tracks,)
        prior : float
            As many listeners as the audio is worth; a track without any always has the predicted factor.
        """
        own = (
            np.where(listeners > 0, listeners / (listeners + prior), 0)[:, None]
            if prior
            else (listeners > 0)[:, None]
        )
        mixed = own * factors.items + (1 - own) * self.predicted
        return Factors(mixed.astype(np.float32), factors.alpha, factors.regularization)
