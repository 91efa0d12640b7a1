"""The timetables of Segue's DAGs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import CronTriggerTimetable
from airflow.timetables.base import DagRunInfo
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import now


class DayByDay(CronPartitionTimetable):
    """Start a run every midnight (UTC). Its partition is the day that has just ended.

    - Unpausing the DAG starts no run. This works only if the DAG has no start_date.
    - A backfill creates no runs for future days. Airflow would create such runs, and they would wait for their
      day. Until that day Airflow would start no nightly runs, because it continues from the latest day that has a
      run.
    """

    def __init__(self) -> None:
        # Exactly at midnight: if runs were due later in the day, a backfill would leave out its last day.
        super().__init__(
            "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d", run_immediately=timedelta(0)
        )

    def serialize(self) -> dict[str, Any]:
        """Return nothing, because all instances are alike."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DayByDay:  # noqa: ARG003 - as Airflow calls it
        """Return a new instance."""
        return cls()

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterable[DagRunInfo]:
        """List the runs of a backfill, up to that of today."""
        return super().iter_partition_dagrun_infos(earliest=earliest, latest=min(latest, now("UTC")))


def by_the_clock(expression: str, timezone: str = "UTC") -> CronTriggerTimetable:
    """Return a timetable by a cron expression. Unpausing the DAG starts no run that was due before.

    This works only if the DAG has no start_date.
    """
    return CronTriggerTimetable(expression, timezone=timezone, run_immediately=timedelta(0))


class SegueDays(AirflowPlugin):
    """Register the timetable with the scheduler and the API server."""

    name = "segue_days"
    timetables = [DayByDay]  # noqa: RUF012 - as Airflow declares it
