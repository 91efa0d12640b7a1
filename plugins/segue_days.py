"""The timetable of DAGs that have a run for each day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import now


class DayByDay(CronPartitionTimetable):
    """Midnight, UTC: each run takes the day that has just ended.

    - Unpausing the DAG starts nothing; for this, the DAG must not have a start_date either.
    - A backfill takes no day that is still to come. Airflow would make runs for them that wait for their day, and
      as it counts on from the last day of any run, those of the nights until then would fall out.
    """

    def __init__(self) -> None:
        # At midnight exactly: a backfill leaves out its last day if the run is due later on it.
        super().__init__(
            "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d", run_immediately=timedelta(0)
        )

    def serialize(self) -> dict[str, Any]:
        """Nothing to keep: all of them are alike."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DayByDay:  # noqa: ARG003 - as Airflow calls it
        """Make it again."""
        return cls()

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterable[DagRunInfo]:
        """Tell a backfill its runs, up to that of today."""
        return super().iter_partition_dagrun_infos(earliest=earliest, latest=min(latest, now("UTC")))


class SegueDays(AirflowPlugin):
    """Make the timetable known to the scheduler and the API server."""

    name = "segue_days"
    timetables = [DayByDay]  # noqa: RUF012 - as Airflow declares it
