"""The callback for a run that misses its deadline."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from segue_alerts import link

logger = logging.getLogger(__name__)


async def note_missed_deadline(context: dict[str, Any], hours: float) -> None:
    """Log in the triggerer that a run is late, store the message with the run's reports, and send an alert.

    Parameters
    ----------
    context : dict
        Airflow's context, with the run as ``dag_run``.
    hours : float
        The deadline, counted from when the run was queued.
    """
    run = context["dag_run"]
    run_id = f"{run['dag_id']}/{run['dag_run_id']}"
    message = f"{run_id} was queued {hours:g} hours ago and has not succeeded."
    logger.error("Deadline missed: %s Look at the log of its running task.", message)
    await asyncio.to_thread(_keep, run_id, message)
    await asyncio.to_thread(_alert, run["dag_id"], run["dag_run_id"], message)


def _keep(run_id: str, message: str) -> None:
    from segue.runs import summaries
    from segue.runs.conclusion import MissedDeadline

    summaries.keep(run_id, MissedDeadline(missed=message))


def _alert(dag_id: str, run_id: str, message: str) -> None:
    from segue.connections import alerts
    from segue.settings import get_settings

    alerts.send(get_settings(), f"Segue: {dag_id} is late", f"{message}\n{link(dag_id, run_id)}", kind="warning")
