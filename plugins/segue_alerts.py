"""Tell people that a task has failed or that a run is late."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.configuration import conf
from airflow.sdk import BaseNotifier

from segue.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class TaskFailed(BaseNotifier):
    """Send an alert when a task has failed and is not retried: its last sentence, and a link to the run.

    Without ``SEGUE_ALERT_URLS`` it sends nothing. An alert that cannot be sent is an error in the task's log.
    """

    def notify(self, context: Context) -> None:
        """Send the alert. Called in the task's process, or in the DAG processor if that process was killed."""
        from segue.connections import alerts

        instance = context["ti"]
        dag_id, run_id, task_id = instance.dag_id, instance.run_id, instance.task_id
        reason = context.get("exception") or "Its process was killed, or did not say why."
        text = f"Run {run_id}\n{reason}\n{link(dag_id, run_id)}"
        alerts.send(get_settings(), f"Segue: {dag_id} failed in {task_id}", text, kind="failure")


def link(dag_id: str, run_id: str) -> str:
    """Return the address of a run in Airflow's UI."""
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    return f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
