"""Write what Airflow keeps of a run, its rows and its logs, without running it."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from segue.settings import Settings
from segue.stack import airflow
from segue.stack.airflow_environment import environment

if TYPE_CHECKING:
    from airflow.serialization.definitions.dag import SerializedDAG

LOG_BYTES = 10_000
"""Usual size of a task's log."""


def prepare(settings: Settings) -> None:
    """Create Airflow's database with all DAGs in it. Let this process use it."""
    os.environ |= environment(settings) | {"_AIRFLOW_PROCESS_CONTEXT": "server"}
    airflow._migrate(settings)
    subprocess.run([airflow.program(), "dags", "reserialize"], check=True, stdout=subprocess.DEVNULL)


def write(settings: Settings, dag_id: str, at: datetime) -> None:
    """Write a run that started at a time and succeeded.

    Its rows: the run, its tasks with their rendered fields, one result, and two events for each task.
    """
    from airflow.models.log import Log
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import insert

    run_id = f"scheduled__{at.isoformat()}"
    with create_session() as session:
        run = _dag(dag_id).create_dagrun(
            run_id=run_id,
            logical_date=at,
            data_interval=(at - timedelta(days=1), at),
            run_after=at,
            start_date=at,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.RUNNING,
            session=session,
        )
        session.flush()
        tasks = session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id).all()
        for task in tasks:
            task.state, task.try_number = TaskInstanceState.SUCCESS, 1
            task.start_date, task.end_date, task.duration = at, at + timedelta(minutes=1), 60.0
            key = {"dag_id": dag_id, "task_id": task.task_id, "run_id": run_id, "map_index": -1}
            fields = {"op_kwargs": {"run": f"{dag_id}/{run_id}"}}
            session.execute(insert(RenderedTaskInstanceFields).values(rendered_fields=fields, **key))
            for event in (TaskInstanceState.RUNNING, TaskInstanceState.SUCCESS):
                session.add(Log(event=event.value, task_instance=task, dttm=at))
            task_log(settings, dag_id, run_id, task.task_id)
        XComModel.set(
            "return_value", run_id, dag_id=dag_id, task_id=tasks[0].task_id, run_id=run_id, session=session
        )
        run.state, run.end_date = DagRunState.SUCCESS, at + timedelta(minutes=10)


@cache
def _dag(dag_id: str) -> SerializedDAG:
    from airflow.models.serialized_dag import SerializedDagModel

    dag = SerializedDagModel.get_dag(dag_id)
    if dag is None:
        raise RuntimeError(f"Airflow does not know the DAG {dag_id!r}.")
    return dag


def task_log(settings: Settings, dag_id: str, run_id: str, task_id: str) -> None:
    """Write the log of a task."""
    folder = (
        settings.state_dir / "airflow" / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    line = "A line of a log of usual length, which says what the task does.\n"
    Path(folder / "attempt=1.log").write_text(line * (LOG_BYTES // len(line)))
