"""What the overview reads from Airflow's database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def session():
    """A session of an empty database with Airflow's tables."""
    from airflow.models.base import Base
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine, [model.__table__ for model in (DagModel, DagRun, TaskInstance, Trigger)])
    with Session(engine) as made:
        yield made
    engine.dispose()


def add_dag(session, dag_id, *, paused=False):
    from airflow.models.dag import DagModel
    from sqlalchemy import insert

    values = {"dag_id": dag_id, "is_paused": paused, "bundle_name": "dags-folder", "max_active_tasks": 16}
    values |= {"next_dagrun_create_after": NOW + timedelta(hours=12), "max_consecutive_failed_dag_runs": 0}
    session.execute(insert(DagModel.__table__).values(has_task_concurrency_limits=False, **values))


def add_run(session, dag_id, run_id, state, hours_ago):
    from airflow.models.dagrun import DagRun
    from sqlalchemy import insert

    ended = NOW - timedelta(hours=hours_ago) if state in ("success", "failed") else None
    values = {"dag_id": dag_id, "run_id": run_id, "state": state, "run_type": "manual", "run_after": NOW}
    values |= {"start_date": NOW - timedelta(hours=hours_ago, minutes=2), "end_date": ended}
    session.execute(
        insert(DagRun.__table__).values(clear_number=0, span_status="not_started", log_template_id=None, **values)
    )


def test_a_dag_has_its_last_ended_run_and_those_under_way(session):
    import segue_overview

    add_dag(session, "corpus", paused=True)
    add_dag(session, "of_somebody_else")
    for run_id, state, hours_ago in (
        ("a", "failed", 1),
        ("b", "success", 5),
        ("c", "running", 0),
        ("d", "queued", 0),
    ):
        add_run(session, "corpus", run_id, state, hours_ago)
    found = segue_overview.schedule(session)
    [dag] = found.dags
    assert (dag.dag_id, dag.paused, dag.run_id, dag.outcome) == ("corpus", True, "a", "failed")
    assert (dag.ended_at, dag.seconds, dag.running) == (NOW - timedelta(hours=1), 120.0, 2)
    assert dag.next_run == NOW + timedelta(hours=12)
    assert found.waiting is None


def test_a_dag_without_runs_is_shown(session):
    import segue_overview

    add_dag(session, "listens")
    [dag] = segue_overview.schedule(session).dags
    assert (dag.run_id, dag.outcome, dag.seconds, dag.running) == (None, None, None, 0)


def test_the_waiting_sensor_says_what_it_waits_for(session):
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from sqlalchemy import insert

    import segue_overview
    from segue_kafka import KafkaBacklogTrigger

    sensor = KafkaBacklogTrigger(
        topic="listens",
        group="g",
        min_events=250,
        deadline=NOW.timestamp(),
        poll_interval_s=5,
        kafka_conn_id="kafka_default",
    )
    trigger = Trigger(*sensor.serialize())
    session.add(trigger)
    session.flush()
    task = {"dag_id": "incremental_retraining", "task_id": "wait_for_listens", "run_id": "r", "map_index": -1}
    task |= {"state": "deferred", "trigger_id": trigger.id, "pool": "p", "pool_slots": 1}
    session.execute(insert(TaskInstance.__table__).values(id=uuid4(), **task))
    waiting = segue_overview.schedule(session).waiting
    assert (waiting.min_events, waiting.until) == (250, NOW)
