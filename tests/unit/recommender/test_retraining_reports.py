"""Reports of version 0, which had no types: their keys are those that the jobs wrote at commit 59ecd42."""

from __future__ import annotations

import pytest

from segue.listens.reports import ScreenedListens
from segue.recommender.reports import (
    ComparisonFigures,
    FullTrainingReport,
    IncrementalUpdateReport,
    PlacementFigures,
    TrackPlacementReport,
    UpdateFigures,
)

SCREENED = {"messages": 12, "used": 9, "rejected": {"sent again": 2, "track not in the corpus": 1}}
LISTENS = '{"listens": {"0": [4, 16]}}'

FULL = {
    "decision": "promoted",
    "reason": "NDCG@10 0.300; popularity has 0.200, EASE, the best baseline, 0.250",
    "model": "recommender/4",
    "ndcg@10": {"Segue": 0.3, "EASE": 0.25, "popularity": 0.2},
    "listens": 9,
    "listeners_served": 5,
    **SCREENED,
    "forgotten_users": {"now out of the model": 1},
    "learned": LISTENS,
    "seconds": 60.5,
}
WINDOW = {
    "window": LISTENS,
    "messages_in_window": 12,
    "lost_by_retention": 3,
    "waiting_after_window": 2,
    "replayed": False,
    "seconds": 20.5,
}
UPDATED = {
    "decision": "promoted",
    "reason": "NDCG@10 0.300 against recommender/4's 0.280",
    "model": "recommender/5",
    "challenger": {"ndcg@10": 0.3, "recall@20": 0.4},
    "champion": 0.28,
    "updates_since_full_training": 1,
    "listens": 9,
    "ndcg@10_of_full_training": 0.28,
    "listeners_served": 5,
    **SCREENED,
    **WINDOW,
    "first_event_to_promoted_s": 80.5,
}
SEEN = {
    "decision": "kept",
    "reason": "recommender/5 has already seen all of these listens",
    "model": "recommender/5",
    "listeners_served": 0,
    **SCREENED,
    **WINDOW,
}
ANNOUNCED = {
    "window": '{"tracks": {"0": [0, 2]}}',
    "days_announced": 2,
    "lost_by_retention": 0,
    "seconds": 9.5,
}
PLACED = {
    "decision": "promoted",
    "reason": "1 tracks came, 0 went",
    "model": "recommender/6",
    "tracks_new": 1,
    "tracks_gone": 0,
    "listeners_served": 5,
    **ANNOUNCED,
}
TOO_EARLY = {"decision": "kept", "reason": "there is no recommender yet", **ANNOUNCED}


@pytest.mark.parametrize(
    ("kind", "old"),
    [
        (FullTrainingReport, FULL),
        (IncrementalUpdateReport, UPDATED),
        (IncrementalUpdateReport, SEEN),
        (TrackPlacementReport, PLACED),
        (TrackPlacementReport, TOO_EARLY),
    ],
)
def test_what_was_migrated_is_written_and_read_as_today(kind, old):
    report = kind.of_document(old)
    assert (report.decision, report.reason, report.seconds) == (old["decision"], old["reason"], old["seconds"])
    assert kind.of_document(report.to_document()) == report


def test_a_full_training_of_version_0_is_read():
    report = FullTrainingReport.of_document(FULL)
    assert report.compared == ComparisonFigures(
        ndcg_at_10={"Segue": 0.3, "EASE": 0.25, "popularity": 0.2},
        listens=9,
        forgotten_users={"now out of the model": 1},
    )
    assert (report.model, report.listeners_served, report.learned) == ("recommender/4", 5, LISTENS)
    assert report.screened == ScreenedListens(**SCREENED)


def test_an_update_of_version_0_is_read():
    report = IncrementalUpdateReport.of_document(UPDATED)
    assert report.updated == UpdateFigures(
        challenger={"ndcg@10": 0.3, "recall@20": 0.4},
        champion_ndcg_at_10=0.28,
        full_training_ndcg_at_10=0.28,
        updates_since_full_training=1,
        listens=9,
    )
    assert (report.lost_by_retention, report.messages_in_window, report.waiting_after_window) == (3, 12, 2)
    assert (report.compared, report.first_event_to_promoted_s) == (None, 80.5)


def test_an_update_of_version_0_that_compared_nothing_is_read():
    report = IncrementalUpdateReport.of_document(SEEN)
    assert (report.updated, report.compared, report.first_event_to_promoted_s) == (None, None, None)


def test_an_update_of_version_0_that_became_a_full_training_is_read():
    report = IncrementalUpdateReport.of_document(SEEN | {"ndcg@10": {"Segue": 0.3}, "listens": 9})
    assert report.updated is None
    assert report.compared == ComparisonFigures(ndcg_at_10={"Segue": 0.3}, listens=9)


def test_a_placement_of_version_0_is_read():
    report = TrackPlacementReport.of_document(PLACED)
    assert (report.placed, report.days_announced) == (PlacementFigures(tracks_new=1, tracks_gone=0), 2)
    assert report.screened is None


def test_a_placement_of_version_0_before_the_first_training_is_read():
    report = TrackPlacementReport.of_document(TOO_EARLY)
    assert (report.model, report.placed, report.listeners_served) == (None, None, 0)


@pytest.mark.parametrize("kind", [FullTrainingReport, IncrementalUpdateReport])
def test_reports_of_version_1_had_no_intervals(kind):
    compared = ComparisonFigures(ndcg_at_10={"Segue": 0.3}, interval=(0.2, 0.4), listens=9)
    window = {"window": LISTENS, "messages_in_window": 12, "waiting_after_window": 2}
    fields = {"learned": LISTENS} if kind is FullTrainingReport else window
    now = kind(decision="promoted", reason="Better.", seconds=1.0, compared=compared, **fields)
    old = now.to_document() | {"version": 1}
    del old["compared"]["interval"]
    read = kind.of_document(old)
    assert read == now.model_copy(update={"compared": compared.model_copy(update={"interval": None})})
