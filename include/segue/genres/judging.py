"""How well a genre model does on the test tracks, how sure that is, and whether one is better than another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segue.genres.confusion import Classification

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame

RESAMPLES = 1_000
LEVEL = 0.95
TOP = 3
BINS = 10

UNKNOWN = "(another)"
"""What a model answers that knows genres which are not learned any more."""


@dataclass(frozen=True)
class Judged:
    """A model's answers to the test tracks.

    Parameters
    ----------
    genres : sequence of str
    tracks : pandas.DataFrame
        ``track_id``, ``genre``, and columns to slice by; a row a track, in order of ``track_id``.
    probabilities : ndarray of float64, shape (n_tracks, n_genres)
    """

    genres: Sequence[str]
    tracks: pd.DataFrame
    probabilities: NDArray[np.float64]

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """Column of each track's true genre."""
        return pd.Index(self.genres).get_indexer(pd.Index(self.tracks["genre"])).astype(np.int64)

    @cached_property
    def answer(self) -> NDArray[np.int64]:
        """Column of each track's most probable genre; n_genres where the model knows none of them."""
        best = self.probabilities.argmax(axis=1)
        return np.where(self.probabilities.max(axis=1) > 0, best, len(self.genres))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each track's answer is its genre."""
        right: NDArray[np.bool_] = self.answer == self.truth
        return right

    @cached_property
    def classification(self) -> Classification:
        """The confusion matrix and what follows from it."""
        n = len(self.genres) + 1
        confusion = np.bincount(self.truth * n + self.answer, minlength=n * n).reshape(n, n).astype(np.int64)
        if confusion[:, -1].any():
            return Classification([*self.genres, UNKNOWN], confusion)
        return Classification(self.genres, confusion[:-1, :-1])

    @property
    def macro_f1(self) -> float:
        """Macro F1 over the genres that the tracks have."""
        return _scores(self, np.ones(len(self.tracks)))[1]

    def metrics(self) -> dict[str, float]:
        """Those of `Classification`, top-3 accuracy, log loss (natural) and expected calibration error."""
        at = np.arange(len(self.truth))
        true = self.probabilities[at, self.truth][:, None]
        rank = (self.probabilities > true).sum(axis=1)
        counts, confidence, accuracy = self.reliability()
        return self.classification.metrics() | {
            f"top_{TOP}_accuracy": float((rank < TOP).mean()),
            "log_loss": float(-np.log(np.maximum(true, 1e-15)).mean()),
            "calibration_error": float(np.abs(confidence - accuracy) @ counts / max(counts.sum(), 1)),
        }

    def reliability(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Compare confidence and accuracy, in `BINS` bins of the highest probability (Guo et al., 2017).

        Returns
        -------
        counts, confidence, accuracy : ndarray of shape (BINS,)
            Tracks, mean highest probability and share of right answers; 0 in an empty bin.
        """
        highest = self.probabilities.max(axis=1)
        bins = np.minimum((highest * BINS).astype(np.int64), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        least = np.maximum(counts, 1)
        confidence = np.bincount(bins, weights=highest, minlength=BINS) / least
        return counts, confidence, np.bincount(bins, weights=self.right, minlength=BINS) / least

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Bound accuracy and macro F1 (95 %, bootstrap over artists: an artist's tracks are alike)."""
        drawn = np.array([_scores(self, weights) for weights in resamples(self.tracks, seed)])
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        names = ("accuracy", "macro_f1")
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}

    def where(self, rows: NDArray[np.bool_]) -> Judged:
        """Take some of the tracks."""
        return replace(self, tracks=self.tracks[rows], probabilities=self.probabilities[rows])

    def without(self, genres: Collection[str]) -> Judged:
        """Leave the tracks of some genres out."""
        return self.where(~self.tracks["genre"].isin(genres).to_numpy())

    def by_slice(self) -> dict[str, dict[str, dict[str, float]]]:
        """Accuracy, macro F1 of the genres that occur, and tracks, for each value of each column to slice by."""
        columns = [name for name in ("language", "decade", "artist_seen") if name in self.tracks]
        return {
            name: {str(value): self._of_slice(name, value) for value in self._values(name)} for name in columns
        }

    def _values(self, column: str) -> list[object]:
        return sorted(self.tracks[column].dropna().unique(), key=str)

    def _of_slice(self, column: str, value: object) -> dict[str, float]:
        part = self.where((self.tracks[column] == value).to_numpy())
        found = part.classification
        return {
            "tracks": len(part.tracks),
            "accuracy": float(part.right.mean()),
            "macro_f1": float(found.f1[found.support > 0].mean()),
        }


def judge(model: PipelineModel, test: DataFrame, genres: Sequence[str], seen: set[str]) -> Judged:
    """Let a model answer.

    Parameters
    ----------
    model : PipelineModel
        Of any version; its own genres may be others.
    test : DataFrame
        Rows of `Labelled.tracks`.
    genres : sequence of str
        What the columns of the result are.
    seen : set of str
        Artists that the model may have learned from.
    """
    namer: Any = model.stages[-1]
    names: list[str] = list(namer.getLabels())
    kept = [name for name in ("artist", "language", "year") if name in test.columns]
    answered = model.transform(test).select("track_id", "genre", *kept, "probabilities").toPandas()
    answered = answered.sort_values("track_id", ignore_index=True)
    own = np.array(answered["probabilities"].to_list(), dtype=np.float64)
    # Of the last genres there are no probabilities if no track of them was learned from.
    columns = pd.DataFrame(own, columns=names[: own.shape[1]]).reindex(columns=list(genres), fill_value=0.0)
    return Judged(genres, _sliced(answered.drop(columns="probabilities"), seen), columns.to_numpy())


@dataclass(frozen=True)
class Difference:
    """One model's macro F1 minus another's on the same tracks.

    Parameters
    ----------
    mean : float
    low : float
        At 95 % one-sided confidence the difference is above it (bootstrap over artists).
    mcnemar : float
        p-value of the exact McNemar test of equal accuracy, two-sided.
    """

    mean: float
    low: float
    mcnemar: float

    @property
    def better(self) -> bool:
        """Whether the first is better beyond chance."""
        return self.low > 0


def compare(one: Judged, other: Judged, seed: int = 0) -> Difference:
    """Test whether one model is better than another on the same tracks."""
    from scipy.stats import binomtest

    macro_f1 = 1
    drawn = [
        _scores(one, weights)[macro_f1] - _scores(other, weights)[macro_f1]
        for weights in resamples(one.tracks, seed)
    ]
    only_one, only_other = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    differing = only_one + only_other
    p = float(binomtest(only_one, differing).pvalue) if differing else 1.0
    return Difference(one.macro_f1 - other.macro_f1, float(np.quantile(drawn, 1 - LEVEL)), p)


def resamples(tracks: pd.DataFrame, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw artists with replacement: how often each track is in each of `RESAMPLES` samples, one after the other.

    A track whose artist was learned from is drawn by itself: its genre was split by track.
    """
    units = tracks["track_id"]
    if "artist" in tracks:
        units = units.where(tracks["artist"].isna() | (tracks["artist_seen"] == "seen"), tracks["artist"])
    codes, names = pd.factorize(units)
    random = np.random.default_rng(seed)
    n = len(names)
    for _ in range(RESAMPLES):
        yield np.bincount(random.integers(0, n, n), minlength=n)[codes].astype(np.float64)


def _scores(judged: Judged, weights: NDArray[np.float64]) -> tuple[float, float]:
    """Accuracy, and macro F1 over the genres that the weighted tracks have."""
    n = len(judged.genres)
    support = np.bincount(judged.truth, weights=weights, minlength=n)
    answered = np.bincount(judged.answer, weights=weights, minlength=n + 1)[:n]
    hits = np.bincount(judged.truth, weights=weights * judged.right, minlength=n)
    there = support > 0
    f1 = 2 * hits[there] / (support[there] + answered[there])
    return float(hits.sum() / weights.sum()), float(f1.mean())


def _sliced(tracks: pd.DataFrame, seen: set[str]) -> pd.DataFrame:
    if "year" in tracks:
        tracks["decade"] = (tracks["year"] // 10 * 10).astype("Int64")
    if "artist" in tracks:
        known = tracks["artist"].isin(seen)
        tracks["artist_seen"] = known.map({True: "seen", False: "unseen"}).where(tracks["artist"].notna())
    return tracks
