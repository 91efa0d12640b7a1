"""The confusion matrix of a classifier, and the metrics that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often each class was predicted as each class.

    Parameters
    ----------
    labels : sequence of str
        The classes, in the order of rows and columns.
    counts : ndarray of int64, shape (n_classes, n_classes)
        Rows are the true classes, columns the predicted ones.
    """

    labels: Sequence[str]
    counts: NDArray[np.int64]

    @property
    def support(self) -> NDArray[np.int64]:
        """Number of tracks of each class, shape (n_classes,)."""
        support: NDArray[np.int64] = self.counts.sum(axis=1)
        return support

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision of each class, shape (n_classes,); 0 for a class that is never predicted."""
        return _divide(np.diag(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Recall of each class, shape (n_classes,); 0 for a class that never occurs."""
        return _divide(np.diag(self.counts), self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 of each class, shape (n_classes,): the harmonic mean of precision and recall."""
        return _divide(2 * np.diag(self.counts), self.counts.sum(axis=0) + self.support)

    def metrics(self) -> dict[str, float]:
        """Compute accuracy and the averages of precision, recall and F1.

        Returns
        -------
        dict of str to float
            ``accuracy``; ``macro_…``, in which every class counts the same; ``weighted_…``, in which every track
            counts the same.
        """
        weights = self.support / self.support.sum()
        figures = {"accuracy": float(np.trace(self.counts) / self.counts.sum())}
        for name, values in (("precision", self.precision), ("recall", self.recall), ("f1", self.f1)):
            figures[f"macro_{name}"] = float(values.mean())
            figures[f"weighted_{name}"] = float(values @ weights)
        return figures

    def by_class(self) -> dict[str, dict[str, float]]:
        """Return precision, recall, F1 and support of each class, by its label."""
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
        """Format the matrix and the metrics of each class as text for a log."""
        width = max(map(len, self.labels))
        numbers = " ".join(f"{i + 1:>4}" for i in range(len(self.labels)))
        lines = [f"{'true genre, predicted as':<{width + 4}}{numbers}   prec   rec    F1"]
        for i, label in enumerate(self.labels):
            row = " ".join(f"{count or '.':>4}" for count in self.counts[i])
            scores = f"{self.precision[i]:>7.2f}{self.recall[i]:>6.2f}{self.f1[i]:>6.2f}"
            lines.append(f"{i + 1:>2}. {label:<{width}}{row}{scores}")
        return "\n".join(lines)


def _divide(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
