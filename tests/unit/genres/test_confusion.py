from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from segue.genres.confusion import Classification, classification

TRUE = ["jig", "jig", "reel", "reel", "reel", "hymn", "hymn", "jig", "reel"]
GUESS = ["jig", "reel", "reel", "reel", "jig", "jig", "reel", "jig", "polka"]


@pytest.fixture
def judged():
    counts = dict.fromkeys(zip(TRUE, GUESS, strict=True), 0)
    for pair in zip(TRUE, GUESS, strict=True):
        counts[pair] += 1
    return Classification.of(counts)


def test_confusion_has_true_classes_in_rows(judged):
    expected = sklearn_metrics.confusion_matrix(TRUE, GUESS, labels=judged.labels)
    np.testing.assert_array_equal(judged.confusion, expected)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_averages_are_those_of_scikit_learn(judged, average):
    precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
        TRUE, GUESS, average=average, zero_division=0
    )
    found = judged.metrics()
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(TRUE, GUESS))
    assert [found[f"{average}_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(
        [precision, recall, f1]
    )


def test_each_class_has_the_figures_of_scikit_learn(judged):
    expected = sklearn_metrics.classification_report(TRUE, GUESS, output_dict=True, zero_division=0)
    for genre, figures in judged.by_class().items():
        wanted = expected[genre]
        assert figures == pytest.approx(
            {
                "precision": wanted["precision"],
                "recall": wanted["recall"],
                "f1": wanted["f1-score"],
                "support": wanted["support"],
            }
        )


def test_a_class_that_is_never_predicted_counts_as_zero(judged):
    assert judged.by_class()["hymn"] == {"precision": 0, "recall": 0, "f1": 0, "support": 2}


def test_the_table_names_every_class_and_its_hits(judged):
    lines = judged.table().splitlines()
    assert len(lines) == 1 + len(judged.labels)
    assert lines[2].split()[:5] == ["2.", "jig", ".", "2", "."]


def test_predictions_are_counted_in_spark(spark, judged):
    predictions = spark.createDataFrame(list(zip(TRUE, GUESS, strict=True)), "genre string, predicted string")
    found = classification(predictions, "genre", "predicted")
    assert found.labels == judged.labels
    np.testing.assert_array_equal(found.confusion, judged.confusion)


LISTS = [
    (["a", "b", "c"], ["a"]),  # hit at 1: ndcg 1
    (["d", "b", "c"], ["b", "x"]),  # hit at 2 of two possible
    (["a", "e"], ["x", "y", "z"]),  # shorter list, no hit
]
