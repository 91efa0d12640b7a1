"""How well a classifier does, from its confusion matrix.

Spark counts, so that no prediction leaves the cluster; what is left is a matrix of genres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


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
