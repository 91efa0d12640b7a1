"""Reports of version 0, which had no types: their keys are those that the job wrote at commit 59ecd42."""

from __future__ import annotations

import pytest

from segue.genres.reports import GenreReport, Predictions, TrainedModel

PROMOTED = {
    "decision": "promoted",
    "reason": "macro F1 0.700 against 0.400 of guessing",
    "model": "genre/1",
    "challenger": "genre/1",
    "chosen": {"classifier": "logistic", "logistic_reg": 0.03},
    "trials": 3,
    "search_s": 20.5,
    "search_cpu_s": 30.5,
    "test": {"accuracy": 0.75, "macro_f1": 0.7},
    "rivals": {"guessing": 0.4},
    "tracks": {"train": 80, "validation": 20, "test": 20},
    "rejected": {"duplicate": 2},
    "split_by_track": ["jig"],
    "labelled": 10,
    "labels": "genre/1",
    "seconds": 61.5,
}
SKIPPED = {
    "decision": "skipped",
    "reason": "No published track has a genre.",
    "labelled": 0,
    "labels": "there is no genre champion yet",
    "seconds": 9.5,
}


@pytest.mark.parametrize("old", [PROMOTED, SKIPPED])
def test_what_was_migrated_is_written_and_read_as_today(old):
    report = GenreReport.of_document(old)
    assert (report.decision, report.reason, report.seconds) == (old["decision"], old["reason"], old["seconds"])
    assert GenreReport.of_document(report.to_document()) == report


def test_a_training_of_version_0_is_read():
    report = GenreReport.of_document(PROMOTED)
    assert report.trained == TrainedModel(
        challenger="genre/1",
        chosen={"classifier": "logistic", "logistic_reg": 0.03},
        trials=3,
        search_s=20.5,
        search_cpu_s=30.5,
        test={"accuracy": 0.75, "macro_f1": 0.7},
        rivals={"guessing": 0.4},
        tracks={"train": 80, "validation": 20, "test": 20},
        rejected={"duplicate": 2},
        split_by_track=("jig",),
    )
    assert (report.model, report.predictions) == ("genre/1", Predictions(tracks=10, model="genre/1"))


def test_a_corpus_with_nothing_to_learn_from_of_version_0_is_read():
    report = GenreReport.of_document(SKIPPED)
    assert (report.model, report.trained) == (None, None)
    assert report.predictions == Predictions(reason="there is no genre champion yet")


def test_a_report_of_version_1_had_no_interval():
    now = GenreReport.of_document(PROMOTED)
    old = now.to_document() | {"version": 1}
    del old["trained"]["macro_f1_interval"]
    assert GenreReport.of_document(old) == now
