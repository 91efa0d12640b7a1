"""What a run has come to, as its note."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SAID = "594 of 600 files are published as tracks, 6 are rejected."


@pytest.fixture
def session():
    """A session of an empty database with Airflow's tables."""
    from airflow.models.base import Base
    from airflow.models.dagrun import DagRun, DagRunNote
    from airflow.models.xcom import XComModel
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine, [model.__table__ for model in (DagRun, DagRunNote, XComModel)])
    with Session(engine) as made:
        yield made
    engine.dispose()


@pytest.fixture
def ended(session):
    """Return a function that ends a run as Airflow does, after its summary has told something."""
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from airflow.utils.state import DagRunState
    from sqlalchemy import insert, select

    def run(*told, dag_id="corpus", run_id="r", note=None, key="outcome"):
        found = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        if session.scalar(found) is None:
            values = {"dag_id": dag_id, "run_id": run_id, "state": "running", "run_type": "manual"}
            values |= {"run_after": NOW, "clear_number": 0, "span_status": "not_started"}
            session.execute(insert(DagRun.__table__).values(log_template_id=None, **values))
        ending = session.scalars(found).one()
        if note:
            ending.note = note
        for sentence in told:
            XComModel.set(
                key, sentence, dag_id=dag_id, task_id="summary", run_id=run_id, serialize=False, session=session
            )
        ending.state = DagRunState.SUCCESS
        ending.notify_dagrun_state_changed("success")
        session.commit()
        session.expire_all()
        return session.scalars(found).one().note

    return run


@pytest.fixture
def listening():
    """Register the plugin's listener with Airflow, and nothing else."""
    from airflow.listeners.listener import get_listener_manager

    import segue_outcome

    manager = get_listener_manager()
    manager.clear()
    for listener in segue_outcome.SegueOutcome.listeners:
        manager.add_listener(listener)
    yield
    manager.clear()


@pytest.mark.usefixtures("listening")
def test_the_note_of_a_run_is_the_sentence_of_its_summary(ended):
    assert ended(SAID) == SAID
    assert ended("Nothing has changed.") == "Nothing has changed.", "the run was cleared, and has ended again"


@pytest.mark.usefixtures("listening")
def test_a_note_of_a_user_stays(ended):
    assert ended(SAID, note=("Started by Ann.", "ann")) == "Started by Ann."


@pytest.mark.usefixtures("listening")
def test_a_long_sentence_is_cut_to_what_the_database_takes(ended):
    note = ended("x" * 3_000)
    assert (len(note), note[-2:]) == (1_000, "x…")


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("other", [{"dag_id": "of_somebody_else"}, {"key": "return_value"}])
def test_other_dags_and_other_xcoms_make_no_note(ended, other):
    assert ended(SAID, **other) is None


def test_without_the_listener_there_is_no_note(ended):
    assert ended(SAID) is None


def test_the_task_stores_the_sentence_as_an_xcom():
    import segue_outcome

    pushed = {}
    segue_outcome.tell(SimpleNamespace(xcom_push=pushed.__setitem__), SAID)
    assert pushed == {"outcome": SAID}
