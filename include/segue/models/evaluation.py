"""How well a model does: classification from a confusion matrix, ranking from top-k lists.

Spark counts, so that no prediction leaves the cluster; what is left is a matrix of genres or one row of means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Classification:
    """Metrics of a classifier, all derived from its confusion matrix.

    Parameters
    ----------
    labels : sequence of str
        The classes, in the order of rows and columns.
    confusion : ndarray of int, shape (n_classes, n_classes)
        Rows are true classes, columns are predicted ones.
    """

    labels: Sequence[str]
    confusion: NDArray[np.int64]

    @classmethod
    def of(cls, counts: Mapping[tuple[str, str], int]) -> Classification:
        """Build from counts by (true, predicted) class."""
        labels = sorted({label for pair in counts for label in pair})
        position = {label: i for i, label in enumerate(labels)}
        confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
        for (true, predicted), count in counts.items():
            confusion[position[true], position[predicted]] += count
        return cls(labels, confusion)

    @property
    def support(self) -> NDArray[np.int64]:
        """How many of each class there are."""
        support: NDArray[np.int64] = self.confusion.sum(axis=1)
        return support

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of what was predicted as a class, the share that is of it; 0 for a class never predicted."""
        return _divide(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of what is of a class, the share that was predicted so; 0 for a class that never occurs."""
        return _divide(np.diag(self.confusion), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall, by class."""
        return _divide(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.support)

    def metrics(self) -> dict[str, float]:
        """Accuracy, and macro (every class counts the same) and weighted (every track does) averages."""
        weights = self.support / self.support.sum()
        figures = {"accuracy": float(np.trace(self.confusion) / self.confusion.sum())}
        for name, values in (("precision", self.precision), ("recall", self.recall), ("f1", self.f1)):
            figures[f"macro_{name}"] = float(values.mean())
            figures[f"weighted_{name}"] = float(values @ weights)
        return figures

    def by_class(self) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and support of each class."""
        return {
            label: {
                "precision": float(self.precision[i]),
                "recall": float(self.recall[i]),
                "f1": float(self.f1[i]),
                "support": int(self.support[i]),
            }
            for i, label in enumerate(self.labels)
        }

    def table(self) -> str:
        """Lay out classes, their metrics and the confusion matrix for a log."""
        width = max(map(len, self.labels))
        numbers = " ".join(f"{i + 1:>4}" for i in range(len(self.labels)))
        lines = [f"{'true genre, predicted as':<{width + 4}}{numbers}   prec   rec    F1"]
        for i, label in enumerate(self.labels):
            row = " ".join(f"{count or '.':>4}" for count in self.confusion[i])
            scores = f"{self.precision[i]:>7.2f}{self.recall[i]:>6.2f}{self.f1[i]:>6.2f}"
            lines.append(f"{i + 1:>2}. {label:<{width}}{row}{scores}")
        return "\n".join(lines)


def _divide(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def classification(predictions: DataFrame, true: str, predicted: str) -> Classification:
    """Count predictions by true and predicted class, and derive the metrics."""
    rows = predictions.groupBy(true, predicted).count().collect()
    return Classification.of({(row[0], row[1]): row["count"] for row in rows})


@dataclass(frozen=True)
class Ranking:
    """Metrics of top-k lists, means over listeners. See :func:`ranking`."""

    ndcg: float
    precision: float
    recall: float
    coverage: float
    listeners: int


def ranking(lists: DataFrame, *, k: int, catalogue_size: int) -> Ranking:
    """Judge top-k lists by what was listened to afterwards.

    NDCG with binary relevance: a hit at position p counts 1/log2(p + 1), and the sum is divided by that of the
    best list possible (Järvelin and Kekäläinen 2002; the same as ``ndcgAtK`` of MLlib's ``RankingEvaluator``).

    Parameters
    ----------
    lists : DataFrame
        One row a listener: ``recommended``, an array of track ids, best first; ``relevant``, a non-empty array of
        distinct track ids.
    k : int
        Positions that count.
    catalogue_size : int
        Number of tracks that could have been recommended.

    Returns
    -------
    Ranking
        ``precision`` is hits divided by k, ``recall`` hits divided by the relevant, ``coverage`` the share of the
        catalogue that was recommended to anyone. All 0 where `lists` is empty.
    """
    from pyspark.sql import functions as F  # noqa: N812

    def gain(position: Column) -> Column:
        return 1 / F.log2(position + 1)

    top = F.slice("recommended", 1, k)
    positions = [F.lit(p) for p in range(1, k + 1)]
    gained = [F.when(F.array_contains("relevant", F.get(top, p - 1)), gain(p)).otherwise(0.0) for p in positions]
    possible = [F.when(p <= F.size("relevant"), gain(p)).otherwise(0.0) for p in positions]
    hits = F.size(F.array_intersect(top, "relevant"))
    means = lists.select(
        (reduce(add, gained) / reduce(add, possible)).alias("ndcg"),
        (hits / k).alias("precision"),
        (hits / F.size("relevant")).alias("recall"),
        top.alias("top"),
    ).agg(
        F.coalesce(F.avg("ndcg"), F.lit(0.0)).alias("ndcg"),
        F.coalesce(F.avg("precision"), F.lit(0.0)).alias("precision"),
        F.coalesce(F.avg("recall"), F.lit(0.0)).alias("recall"),
        (F.size(F.array_distinct(F.flatten(F.collect_list("top")))) / catalogue_size).alias("coverage"),
        F.count("*").alias("listeners"),
    )
    [row] = means.collect()
    return Ranking(**row.asDict())
