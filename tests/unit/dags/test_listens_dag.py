from __future__ import annotations

import pytest

from segue.settings import PROJECT_DIR


@pytest.fixture
def listens(dags):
    return dags["listens"]


def test_the_lake_is_brought_in_step_and_then_told_about(listens):
    ingest = listens.get_task("ingest")
    assert ingest.downstream_task_ids == {"summary"}
    assert (ingest.pool, ingest.application) == ("spark", str(PROJECT_DIR / "spark_jobs" / "ingest_listens.py"))


def test_each_nightly_run_has_the_day_that_has_ended_as_its_partition(listens):
    assert (type(listens.timetable).__name__, listens.start_date) == ("DayByDay", None)
    assert (listens.max_active_runs, listens.catchup) == (1, False)


def test_it_is_documented(listens):
    for word in ("What", "When", "Inputs", "Outputs", "When it fails"):
        assert f"**{word}.**" in listens.doc_md
    for name in ("day_from", "day_to", "mode"):
        assert len(listens.params.get_param(name).description) > 20
