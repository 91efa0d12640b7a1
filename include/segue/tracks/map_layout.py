"""Places of tracks on a plane, so that tracks that sound alike are near each other.

A layout is a t-SNE (van der Maaten and Hinton, 2008; Poličar, Stražar and Zupan, 2024: the library openTSNE, with
interpolation by FFT). A new track is placed among its nearest neighbours, so that the others need not move.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.tracks.nearest import SEARCH_WIDTH, graph_of

PERPLEXITY: Final = 30
"""How many neighbours a track minds, roughly. Three times as many are looked up."""

FEWEST: Final = 10
"""Fewer tracks are placed by their first two components, because t-SNE needs neighbours."""

BETWEEN: Final = 5
"""A new track is placed at the weighted mean of so many neighbours."""

SPREAD: Final = 1e-4
"""Standard deviation of the places at which t-SNE begins, as its authors advise."""

SEED: Final = 1

Places = NDArray[np.float32]
Vectors = NDArray[np.float32]


def lay_out(vectors: Vectors, begin: Places | None = None) -> Places:
    """Place all tracks.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_tracks, n_dimensions)
        Places in the space of sound, each of length 1 or 0.
    begin : ndarray of float32, shape (n_tracks, 2), optional
        Where they begin. With the places of an earlier layout, the new one is turned as that one is. By default,
        the first two components.

    Returns
    -------
    ndarray of float32, shape (n_tracks, 2)
        Within the square from -1 to 1.
    """
    n_tracks = len(vectors)
    wide = np.zeros((n_tracks, 2), np.float32)
    wide[:, : vectors.shape[1]] = vectors[:, :2]
    first = (wide if begin is None else begin).astype(np.float64)
    if n_tracks < FEWEST:
        return _in_square(first)
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    count = min(3 * PERPLEXITY, n_tracks - 1)
    rows, cosines = _nearest(vectors, vectors, count + 1)
    neighbours, cosines = _without_themselves(rows, cosines)
    distances = np.sqrt(np.maximum(2 - 2 * cosines.astype(np.float64), 0))
    index = PrecomputedNeighbors(neighbours, distances)
    affinities = PerplexityBasedNN(knn_index=index, perplexity=count / 3, n_jobs=1, random_state=SEED)
    spread = first.std()
    first = first * (SPREAD / spread) if spread > 0 else np.random.default_rng(SEED).normal(0, SPREAD, first.shape)
    return _in_square(
        np.asarray(TSNE(n_jobs=1, random_state=SEED).fit(affinities=affinities, initialization=first))
    )


def place_between(vectors: Vectors, known: Vectors, places: Places) -> Places:
    """Place new tracks, each at the mean of its nearest neighbours, weighted by their cosines.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_new, n_dimensions)
        Places of the new tracks in the space of sound.
    known : ndarray of float32, shape (n_known, n_dimensions)
        Places of the tracks that are on the map, at least one.
    places : ndarray of float32, shape (n_known, 2)
        Where they are on the map.

    Returns
    -------
    ndarray of float32, shape (n_new, 2)
    """
    rows, cosines = _nearest(known, vectors, min(BETWEEN, len(known)))
    weights = np.maximum(cosines, 1e-6)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((places[rows] * weights[:, :, None]).sum(axis=1), dtype=np.float32)


def _nearest(among: Vectors, to: Vectors, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the rows of the nearest tracks, and their cosines; both of shape (n_to, count), nearest first."""
    rows, distances = graph_of(among).query(to, count, num_threads=1, query_ef=SEARCH_WIDTH)
    return rows.astype(np.int64), 1 - distances


def _without_themselves(
    rows: NDArray[np.int64], cosines: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Leave the track itself out of its neighbours; if it was not found, the furthest one."""
    itself = rows == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = len(rows), rows.shape[1] - 1
    return rows[~itself].reshape(shape), cosines[~itself].reshape(shape)


def _in_square(places: NDArray[np.float64]) -> Places:
    centred = places - (places.min(axis=0) + places.max(axis=0)) / 2 if len(places) else places
    largest = float(np.abs(centred).max(initial=0))
    return np.asarray(centred / largest if largest else centred, dtype=np.float32)
