"""What a run has come to, where Airflow shows it: an XCom of its last task, and the note of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from segue.overview.dags import DAGS

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

KEY = "outcome"
"""Key of the XCom."""

LONGEST = 1000
"""Largest number of characters that Airflow's database takes for a note."""


def tell(ti: RuntimeTaskInstance, sentence: str) -> None:
    """Store the sentence that says what a run has come to.

    Parameters
    ----------
    ti : RuntimeTaskInstance
        The last task of the run.
    sentence : str
    """
    ti.xcom_push(KEY, sentence)


def write_note(dag_run: DagRun) -> None:
    """Make the sentence of a run its note. A note that a user has written stays.

    Parameters
    ----------
    dag_run : DagRun
        A run that has ended, in the session of Airflow's database that ended it.
    """
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or dag_run.dag_id not in DAGS:
        return
    if dag_run.dag_run_note and dag_run.dag_run_note.user_id:
        return
    of_run = (XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id, XComModel.key == KEY)
    told = session.scalars(select(XComModel).where(*of_run).order_by(XComModel.timestamp.desc()).limit(1)).first()
    if told is not None:
        sentence = str(XComModel.deserialize_value(told))
        dag_run.note = sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1]}…"


class RunNotes:
    """The listener. The scheduler calls it when a run has ended well."""

    @hookimpl
    def on_dag_run_success(self, dag_run: Any) -> None:
        """Write the note."""
        write_note(dag_run)


class SegueOutcome(AirflowPlugin):
    """Register the listener."""

    name = "segue_outcome"
    listeners = [RunNotes()]  # noqa: RUF012 - as Airflow declares it
