"""Reports of an incremental retraining, made up."""

from __future__ import annotations

from segue.recommender.reports import IncrementalUpdateReport, UpdateFigures

COMPARED = UpdateFigures(
    challenger={"ndcg@10": 0.25}, champion_ndcg_at_10=0.2, updates_since_full_training=1, listens=40
)
KEPT = IncrementalUpdateReport(
    decision="kept",
    reason="no better",
    model="recommender/1",
    seconds=5.0,
    window="{}",
    messages_in_window=40,
    waiting_after_window=0,
)
