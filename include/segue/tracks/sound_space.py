"""The space of sound: a small angle between two tracks means that they sound alike.

The axes are the principal components of the standardised features. The recommender fits a space to its catalogue.
The collection `sounds` keeps a space of its own, so that new tracks can be placed in it one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 64
"""Dimensions of the space of sound: principal components of the standardised features."""

LARGEST_DEVIATION = 4.0
"""A feature is clipped at this many standard deviations. Otherwise one odd value could decide the result."""

ROUNDING = 1e-9
"""A track closer to the centre than this counts as at the centre. The distance is only a rounding error."""

BLOCK = 2_000
"""Number of tracks whose features are converted to float64 at a time."""


@dataclass(frozen=True)
class SoundSpace:
    """A space that tracks are placed in by their features.

    Parameters
    ----------
    centre, width : ndarray of float64, shape (n_features,)
        Mean and standard deviation of each feature.
    mean : ndarray of float64, shape (n_features,)
        Mean of the standardised and clipped features.
    axes : ndarray of float64, shape (n_features, at most DIMENSIONS)
        Principal components of the weighted features, the largest first, times the weights.
    """

    centre: NDArray[np.float64]
    width: NDArray[np.float64]
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, features: NDArray[np.float32], weights: NDArray[np.float64] | None = None) -> SoundSpace:
        """Fit a space to tracks.

        Parameters
        ----------
        features : ndarray of float32, shape (n_tracks, n_features)
            Audio features; a value that is not finite counts as the mean.
        weights : ndarray of float64, shape (n_features,), optional
            How much each standardised feature counts in a distance; by default all the same.
        """
        n_tracks, n_features = features.shape
        blocks = [features[start : start + BLOCK] for start in range(0, n_tracks, BLOCK)]
        centre, width = _moments(blocks, n_features)
        # The principal components are computed from the covariance. It is summed block by block, because all
        # features in float64 need much memory.
        total, products = np.zeros(n_features), np.zeros((n_features, n_features))
        for block in blocks:
            part = _scaled(block, centre, width)
            total += part.sum(axis=0)
            products += part.T @ part
        mean = total / max(n_tracks, 1)
        covariance = products / max(n_tracks, 1) - np.outer(mean, mean)
        _, vectors = np.linalg.eigh(covariance if weights is None else covariance * np.outer(weights, weights))
        axes = vectors[:, ::-1][:, : min(DIMENSIONS, n_tracks, n_features)]
        if weights is not None:
            axes = weights[:, None] * axes  # weighs the features of a track that is placed
        return cls(centre, width, mean, axes)

    def place(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Place tracks in the space.

        Parameters
        ----------
        features : ndarray of float32, shape (n_tracks, n_features)
            Audio features; a value that is not finite counts as the mean.

        Returns
        -------
        ndarray of float32, shape (n_tracks, n_dimensions)
            Each row has length 1, or 0 for a track that is average in everything.
        """
        placed = np.empty((len(features), self.axes.shape[1]), dtype=np.float32)
        for start in range(0, len(features), BLOCK):
            block = features[start : start + BLOCK]
            coordinates = (_scaled(block, self.centre, self.width) - self.mean) @ self.axes
            lengths = np.linalg.norm(coordinates, axis=1, keepdims=True)
            placed[start : start + BLOCK] = coordinates / np.where(lengths > ROUNDING, lengths, np.inf)
        return placed


def _scaled(
    block: NDArray[np.float32], centre: NDArray[np.float64], width: NDArray[np.float64]
) -> NDArray[np.float64]:
    finite = np.where(np.isfinite(block), block, np.nan).astype(np.float64)
    return np.clip(np.nan_to_num((finite - centre) / width), -LARGEST_DEVIATION, LARGEST_DEVIATION)


def _moments(
    blocks: list[NDArray[np.float32]], n_features: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the standard deviation of each feature's finite values; a deviation of 0 becomes 1."""
    count, total, squares = np.zeros(n_features), np.zeros(n_features), np.zeros(n_features)
    for block in blocks:
        finite = np.isfinite(block)
        count += finite.sum(axis=0)
        total += np.where(finite, block, 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    for block in blocks:  # second pass: the difference of two large sums would lose the significant digits
        away = np.where(np.isfinite(block), block - mean, 0)
        squares += (away * away).sum(axis=0)
    width = np.sqrt(squares / np.maximum(count, 1))
    return mean, np.where(width > ROUNDING * np.abs(mean), width, 1)
