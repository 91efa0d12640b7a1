"""The operator of a Spark job that an earlier task of the run may already have done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue_connections import mongo_database
from segue_spark import SparkJobOperator
from segue_tasks import refusals_fail_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context


class MayBeDoneOperator(SparkJobOperator):
    """Run a Spark job of the DAG `corpus`, unless the Spark application of `inventory` has already done it.

    See :mod:`segue.corpus.ahead`. Parameters are those of :class:`segue_spark.SparkJobOperator`.
    """

    def execute(self, context: Context) -> None:
        """Take over the report of the job, or submit the job."""
        from segue.corpus.done_ahead import take
        from segue.runs.summaries import render

        run_id = f"{self.dag_id}/{context['run_id']}"
        with refusals_fail_at_once(), mongo_database() as database:
            report = take(database, run_id, self.job)
        if report is None:
            super().execute(context)
            return
        self.log.info("The Spark application of the task inventory has done this job. Its log shows the progress.")
        self.log.info(render(self.job, report))
        self.log.info(report.sentence())
