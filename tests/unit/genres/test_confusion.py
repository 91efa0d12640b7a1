from __future__ import annotations

import pytest
from sklearn import metrics as sklearn_metrics

from segue.genres.confusion import ConfusionMatrix

TRUE = ["jig", "jig", "reel", "reel", "reel", "hymn", "hymn", "jig", "reel"]
GUESS = ["jig", "reel", "reel", "reel", "jig", "jig", "reel", "jig", "polka"]


@pytest.fixture
def matrix():
    labels = sorted({*TRUE, *GUESS})
    return ConfusionMatrix(labels, sklearn_metrics.confusion_matrix(TRUE, GUESS, labels=labels))


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_are_those_of_scikit_learn(matrix, average):
    precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
        TRUE, GUESS, average=average, zero_division=0
    )
    found = matrix.metrics()
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(TRUE, GUESS))
    assert [found[f"{average}_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(
        [precision, recall, f1]
    )


def test_each_class_has_the_figures_of_scikit_learn(matrix):
    expected = sklearn_metrics.classification_report(TRUE, GUESS, output_dict=True, zero_division=0)
    for genre, figures in matrix.by_class().items():
        wanted = expected[genre]
        assert figures == pytest.approx(
            {
                "precision": wanted["precision"],
                "recall": wanted["recall"],
                "f1": wanted["f1-score"],
                "support": wanted["support"],
            }
        )


def test_a_class_that_is_never_predicted_counts_as_zero(matrix):
    assert matrix.by_class()["hymn"] == {"precision": 0, "recall": 0, "f1": 0, "support": 2}


def test_the_table_names_every_class_and_its_hits(matrix):
    lines = matrix.table().splitlines()
    assert len(lines) == 1 + len(matrix.labels)
    assert lines[2].split()[:5] == ["2.", "jig", ".", "2", "."]
