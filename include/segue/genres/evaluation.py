"""Evaluate a genre model on the test tracks: metrics, confidence intervals, and comparisons with other models."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segue.genres.confusion import ConfusionMatrix

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

BOOTSTRAP_SAMPLES = 1_000
CONFIDENCE = 0.95

BEYOND = 10
"""At least so many samples of a bootstrap must lie beyond a quantile that is taken from them."""
TOP_K = 3
BINS = 10

UNKNOWN_GENRE = "(another)"
"""The class of a prediction that is not among the evaluated genres. An older model may know other genres."""


@dataclass(frozen=True)
class GenreEvaluation:
    """A model's predictions for the test tracks, and the metrics that follow from them.

    Parameters
    ----------
    genres : sequence of str
        The classes, in the order of the columns of `probabilities`.
    tracks : pandas.DataFrame
        One row per track, sorted by ``track_id``: ``track_id``, the true ``genre``, and the columns to slice by.
    probabilities : ndarray of float64, shape (n_tracks, n_genres)
    """

    genres: Sequence[str]
    tracks: pd.DataFrame
    probabilities: NDArray[np.float64]

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """Position of each track's true genre in `genres`, shape (n_tracks,)."""
        return pd.Index(self.genres).get_indexer(pd.Index(self.tracks["genre"])).astype(np.int64)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Position of each track's most probable genre, shape (n_tracks,).

        It is n_genres if the model predicts a genre that is not in `genres`.
        """
        best = self.probabilities.argmax(axis=1)
        return np.where(self.probabilities.max(axis=1) > 0, best, len(self.genres))

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each track's predicted genre is its true one, shape (n_tracks,)."""
        correct: NDArray[np.bool_] = self.predicted == self.truth
        return correct

    @cached_property
    def confusion(self) -> ConfusionMatrix:
        """The confusion matrix. `UNKNOWN_GENRE` is its last class if the model predicts such genres."""
        n = len(self.genres) + 1
        counts = np.bincount(self.truth * n + self.predicted, minlength=n * n).reshape(n, n).astype(np.int64)
        if counts[:, -1].any():
            return ConfusionMatrix([*self.genres, UNKNOWN_GENRE], counts)
        return ConfusionMatrix(self.genres, counts[:-1, :-1])

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the genres that the tracks have."""
        return _accuracy_and_macro_f1(self, np.ones(len(self.tracks)))[1]

    def metrics(self) -> dict[str, float]:
        """Compute the metrics of all tracks together.

        Returns
        -------
        dict of str to float
            Those of `ConfusionMatrix.metrics`, ``top_3_accuracy``, ``log_loss`` (natural logarithm) and
            ``calibration_error`` (expected calibration error).
        """
        rows = np.arange(len(self.truth))
        true = self.probabilities[rows, self.truth][:, None]
        rank = (self.probabilities > true).sum(axis=1)
        counts, confidence, accuracy = self.reliability()
        return self.confusion.metrics() | {
            f"top_{TOP_K}_accuracy": float((rank < TOP_K).mean()),
            "log_loss": float(-np.log(np.maximum(true, 1e-15)).mean()),
            "calibration_error": float(np.abs(confidence - accuracy) @ counts / max(counts.sum(), 1)),
        }

    def reliability(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Compare confidence with accuracy in `BINS` bins of the highest probability (Guo et al., 2017).

        Returns
        -------
        counts, confidence, accuracy : ndarray of shape (BINS,)
            In each bin: the number of tracks, their mean highest probability, and the share of correct
            predictions. All are 0 in an empty bin.
        """
        highest = self.probabilities.max(axis=1)
        bins = np.minimum((highest * BINS).astype(np.int64), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        divisor = np.maximum(counts, 1)
        confidence = np.bincount(bins, weights=highest, minlength=BINS) / divisor
        return counts, confidence, np.bincount(bins, weights=self.correct, minlength=BINS) / divisor

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Compute 95 % confidence intervals by bootstrap over artists, because an artist's tracks are alike.

        Returns
        -------
        dict of str to (float, float)
            Lower and upper bound of ``accuracy`` and ``macro_f1``.
        """
        drawn = np.array(
            [_accuracy_and_macro_f1(self, weights) for weights in bootstrap_weights(self.tracks, seed)]
        )
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
        names = ("accuracy", "macro_f1")
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}

    def where(self, rows: NDArray[np.bool_]) -> GenreEvaluation:
        """Return the evaluation of the tracks for which `rows`, of shape (n_tracks,), is true."""
        return replace(self, tracks=self.tracks[rows], probabilities=self.probabilities[rows])

    def without(self, genres: Collection[str]) -> GenreEvaluation:
        """Return the evaluation of the tracks whose true genre is none of `genres`."""
        return self.where(~self.tracks["genre"].isin(genres).to_numpy())

    def by_slice(self) -> dict[str, dict[str, dict[str, float]]]:
        """Compute the metrics by language, by decade, and by whether the model was trained on the artist.

        Returns
        -------
        dict of str to dict of str to dict
            By column and value: ``tracks``, ``accuracy``, and ``macro_f1`` over the genres that occur in the
            slice.
        """
        columns = [name for name in ("language", "decade", "artist_seen") if name in self.tracks]
        return {name: {str(value): self._slice(name, value) for value in self._values(name)} for name in columns}

    def _values(self, column: str) -> list[object]:
        return sorted(self.tracks[column].dropna().unique(), key=str)

    def _slice(self, column: str, value: object) -> dict[str, float]:
        part = self.where((self.tracks[column] == value).to_numpy())
        confusion = part.confusion
        return {
            "tracks": len(part.tracks),
            "accuracy": float(part.correct.mean()),
            "macro_f1": float(confusion.f1[confusion.support > 0].mean()),
        }


def evaluate(
    model: PipelineModel, test: DataFrame, genres: Sequence[str], training_artists: set[str]
) -> GenreEvaluation:
    """Predict the genres of the test tracks with a model.

    Parameters
    ----------
    model : PipelineModel
        As `segue.genres.training.fit_final_model` returns it. A model of an earlier training may know other
        genres.
    test : DataFrame
        Rows of `Dataset.tracks`.
    genres : sequence of str
        The classes of the result.
    training_artists : set of str
        Artists that the model may have been trained on.

    Returns
    -------
    GenreEvaluation
    """
    index_to_genre: Any = model.stages[-1]
    known: list[str] = list(index_to_genre.getLabels())
    kept = [name for name in ("artist", "language", "year") if name in test.columns]
    rows = model.transform(test).select("track_id", "genre", *kept, "probabilities").toPandas()
    rows = rows.sort_values("track_id", ignore_index=True)
    own = np.array(rows["probabilities"].to_list(), dtype=np.float64)
    # MLlib returns no probabilities for the last genres if the training part had no track of them.
    columns = pd.DataFrame(own, columns=known[: own.shape[1]]).reindex(columns=list(genres), fill_value=0.0)
    tracks = _with_slices(rows.drop(columns="probabilities"), training_artists)
    return GenreEvaluation(genres, tracks, columns.to_numpy())


@dataclass(frozen=True)
class Difference:
    """The macro F1 of one model minus that of another, on the same tracks.

    Parameters
    ----------
    mean : float
    low : float
        Lower bound of the difference: one-sided, bootstrap over artists.
    mcnemar : float
        Two-sided p-value of the exact McNemar test of equal accuracy.
    error : float
        Probability that `low` is above the true difference.
    """

    mean: float
    low: float
    mcnemar: float
    error: float = 1 - CONFIDENCE

    @property
    def better(self) -> bool:
        """Whether the first model is better beyond chance."""
        return self.low > 0


def compare(
    one: GenreEvaluation, other: GenreEvaluation, seed: int = 0, *, error: float = 1 - CONFIDENCE
) -> Difference:
    """Test whether one model is better than another.

    Parameters
    ----------
    one, other : GenreEvaluation
        Evaluations on the same tracks.
    seed : int
        Seed of the bootstrap.
    error : float
        As in `Difference`.

    Returns
    -------
    Difference
    """
    from scipy.stats import binomtest

    macro_f1 = 1
    drawn = [
        _accuracy_and_macro_f1(one, weights)[macro_f1] - _accuracy_and_macro_f1(other, weights)[macro_f1]
        for weights in bootstrap_weights(one.tracks, seed)
    ]
    only_one, only_other = int((one.correct & ~other.correct).sum()), int((other.correct & ~one.correct).sum())
    differing = only_one + only_other
    p = float(binomtest(only_one, differing).pvalue) if differing else 1.0
    return Difference(one.macro_f1 - other.macro_f1, _lower_bound(np.array(drawn), error), p, error)


def _lower_bound(drawn: NDArray[np.float64], error: float) -> float:
    """Return the quantile of a bootstrap. If the samples are too few for it, use the normal distribution."""
    from scipy.stats import norm

    if error * len(drawn) >= BEYOND:
        return float(np.quantile(drawn, error))
    return float(drawn.mean() + norm.ppf(error) * drawn.std())


def bootstrap_weights(tracks: pd.DataFrame, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw artists with replacement, as samples of a bootstrap.

    If the model was trained on an artist, the genre was split by track. This function then draws the tracks of the
    artist one by one.

    Parameters
    ----------
    tracks : pandas.DataFrame
        As in `GenreEvaluation`.
    seed : int

    Yields
    ------
    ndarray of float64, shape (n_tracks,)
        How often each track is in the sample, for each of `BOOTSTRAP_SAMPLES` samples.
    """
    units = tracks["track_id"]
    if "artist" in tracks:
        units = units.where(tracks["artist"].isna() | (tracks["artist_seen"] == "seen"), tracks["artist"])
    codes, names = pd.factorize(units)
    random = np.random.default_rng(seed)
    n = len(names)
    for _ in range(BOOTSTRAP_SAMPLES):
        yield np.bincount(random.integers(0, n, n), minlength=n)[codes].astype(np.float64)


def _accuracy_and_macro_f1(evaluation: GenreEvaluation, weights: NDArray[np.float64]) -> tuple[float, float]:
    """Compute accuracy, and macro F1 over the genres that have tracks with a weight above 0."""
    n = len(evaluation.genres)
    support = np.bincount(evaluation.truth, weights=weights, minlength=n)
    predicted = np.bincount(evaluation.predicted, weights=weights, minlength=n + 1)[:n]
    hits = np.bincount(evaluation.truth, weights=weights * evaluation.correct, minlength=n)
    present = support > 0
    f1 = 2 * hits[present] / (support[present] + predicted[present])
    return float(hits.sum() / weights.sum()), float(f1.mean())


def _with_slices(tracks: pd.DataFrame, training_artists: set[str]) -> pd.DataFrame:
    """Add the columns ``decade`` and ``artist_seen``, if the tracks have years and artists."""
    if "year" in tracks:
        tracks["decade"] = (tracks["year"] // 10 * 10).astype("Int64")
    if "artist" in tracks:
        seen = tracks["artist"].isin(training_artists)
        tracks["artist_seen"] = seen.map({True: "seen", False: "unseen"}).where(tracks["artist"].notna())
    return tracks
