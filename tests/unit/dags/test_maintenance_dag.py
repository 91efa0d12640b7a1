from __future__ import annotations

import pytest


@pytest.fixture
def maintenance(dags):
    return dags["maintenance"]


def test_rows_go_before_the_logs(maintenance):
    assert set(maintenance.task_ids) == {"clean_database", "remove_logs", "delete_reports"}
    assert maintenance.get_task("clean_database").downstream_task_ids == {"remove_logs"}


def test_it_runs_every_week_without_being_unpaused(maintenance):
    assert maintenance.timetable.expression == "0 4 * * 0"
    assert (maintenance.is_paused_upon_creation, maintenance.catchup) == (False, False)


def test_it_is_documented(maintenance):
    for word in ("What", "When", "Inputs", "Outputs", "When it fails"):
        assert f"**{word}.**" in maintenance.doc_md
    assert maintenance.params["keep_days"] == 90
