"""Relate tracks that sound alike, and predict the factors of a track that nobody has played, from its audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.evaluation.metrics import FEW, highest
from segue.runs.progress import parts, step
from segue.tracks.sound_space import SoundSpace

ALIKE = 50
"""How many tracks a track is related to by sound."""

SHARPNESS = 4
"""The cosine is raised to this power, so that very similar tracks count much more than fairly similar ones."""

PENALTIES = np.geomspace(1, 1e5, 11)
FOLDS = 5
ARTIST_PRIOR = 2.0
"""Shrinks what the tracks of an artist have in common. With this many known tracks of the artist, half of it
counts. With more known tracks, more of it counts."""

TOGETHER = 256
"""Number of tracks that are compared with the catalogue at a time."""


def embed(features: NDArray[np.float32], weights: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
    """Place tracks in the space of sound that fits them best; see `segue.tracks.sound_space`.

    Parameters
    ----------
    features : ndarray of float32, shape (n_tracks, n_features)
    weights : ndarray of float64, shape (n_features,), optional
        As for `segue.tracks.sound_space.SoundSpace.fit`.

    Returns
    -------
    ndarray of float32, shape (n_tracks, n_dimensions)
    """
    return SoundSpace.fit(features, weights).place(features)


def alike(sounds: NDArray[np.float32], kept: int = ALIKE) -> Neighbours:
    """Relate each track to the others nearest by sound. The strength is the cosine to the power of SHARPNESS.

    Parameters
    ----------
    sounds : ndarray of float32, shape (n_tracks, n_dimensions)
        From :func:`embed`.
    kept : int
        How many relations a track has at most; only positive cosines count.
    """
    n_tracks = len(sounds)
    kept = min(kept, n_tracks - 1)
    near, values = np.empty((n_tracks, kept), dtype=np.int32), np.empty((n_tracks, kept), dtype=np.float32)
    starts = range(0, n_tracks, TOGETHER)
    for start in parts(starts, len(starts), "Finding what sounds alike"):
        cosines = sounds[start : start + TOGETHER] @ sounds.T
        for own, row in enumerate(cosines, start):
            row[own] = -1
            near[own] = found = highest(row, kept) if kept else near[own]
            values[own] = np.maximum(row[found], 0) ** SHARPNESS
    bounds = kept * np.arange(n_tracks + 1)
    relations = sparse.csr_matrix((values.ravel(), near.ravel(), bounds), shape=(n_tracks, n_tracks))
    relations.eliminate_zeros()
    relations.sort_indices()
    return Neighbours(relations)


@dataclass(frozen=True)
class ContentMap:
    """The factors of each track as predicted from its sound and its artist.

    Parameters
    ----------
    predicted : ndarray of float32, shape (n_tracks, rank)
    penalty : float
        Penalty of the ridge regression, chosen by cross-validation with whole artists held out.
    explained : float
        R² of the prediction for held-out artists; below 0 the mean is a better prediction.
    """

    predicted: NDArray[np.float32]
    penalty: float
    explained: float

    @classmethod
    def fit(
        cls, factors: Factors, sounds: NDArray[np.float32], artists: Sequence[str], listeners: NDArray[np.int64]
    ) -> ContentMap:
        """Fit to the tracks that enough listeners have played.

        Whole artists are held out. Otherwise a map that recognises artists by their recordings would look better
        than it is for a new artist. The known tracks of an artist may have something in common beyond their sound.
        This common part is shrunk by ARTIST_PRIOR and added to all tracks of the artist.

        Parameters
        ----------
        factors : Factors
        sounds : ndarray of float32, shape (n_tracks, n_dimensions)
        artists : sequence of str, length n_tracks
            Empty for an unknown artist.
        listeners : ndarray of int, shape (n_tracks,)
            How many listeners have played each track.
        """
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_predict

        warm = np.flatnonzero(listeners >= FEW)
        numbers = _numbers(artists)
        groups = numbers[warm]
        folds = min(FOLDS, len(np.unique(groups)))
        mean = factors.item_factors[warm].mean(axis=0) if len(warm) else np.zeros(factors.item_factors.shape[1])
        if folds < 2:
            return cls(np.repeat(mean[None, :], len(sounds), axis=0).astype(np.float32), float("inf"), 0.0)
        x, y = sounds[warm].astype(np.float64), factors.item_factors[warm].astype(np.float64)
        with step("Fitting the factors to the sound"):
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
        place = np.searchsorted(known, numbers).clip(max=len(known) - 1)
        of_known = known[place] == numbers
        predicted[of_known] += apart[place[of_known]]
        explained = 1 + search.best_score_ / float(y.var(axis=0).mean())
        return cls(predicted.astype(np.float32), float(search.best_params_["alpha"]), float(explained))

    def complete(self, factors: Factors, listeners: NDArray[np.int64], prior: float) -> Factors:
        """Mix fitted and predicted factors: the fewer listeners a track has, the more its audio counts.

        Parameters
        ----------
        factors : Factors
        listeners : ndarray of int, shape (n_tracks,)
        prior : float
            The audio has the same weight as this many listeners. A track without listeners always gets the
            predicted factors.
        """
        own = (
            np.where(listeners > 0, listeners / (listeners + prior), 0)[:, None]
            if prior
            else (listeners > 0)[:, None]
        )
        mixed = own * factors.item_factors + (1 - own) * self.predicted
        return Factors(mixed.astype(np.float32), factors.alpha, factors.regularization)


def _numbers(artists: Sequence[str]) -> NDArray[np.int64]:
    """Return each track's artist as a number, in the order of names. Each unknown artist gets its own number."""
    names = [artist or f"\0{i}" for i, artist in enumerate(artists)]
    number = {name: i for i, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names], dtype=np.int64)
