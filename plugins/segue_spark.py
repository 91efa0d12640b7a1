"""The operator that runs one of Segue's Spark jobs."""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from segue.connections.spark import REFUSAL

if TYPE_CHECKING:
    from airflow.sdk import Context

JOBS_DIR = Path(__file__).resolve().parents[1] / "spark_jobs"


class SparkJobOperator(SparkSubmitOperator):
    """Run ``spark_jobs/<job>.py`` with spark-submit.

    - The connection ``spark_default`` says where (``local[2]``, ``spark://…``); everything else about Spark
      stands in SPARK_CONF_DIR, so that a DAG tells only what the job is to do.
    - The job gets ``--run-id <dag_id>/<run_id>`` in front of `arguments`; its summary is stored under that key.
    - One Spark application at a time: the task takes the one slot of the pool ``spark``.
    - The log ends with what went wrong. Input that cannot be worked with (a ``SegueError`` of the job) fails at
      once, as a retry would meet the same input; anything else (a service away, a crash) is tried again.

    Parameters
    ----------
    job : str
        Name of the file in ``spark_jobs`` without its suffix.
    arguments : sequence of str, optional
        Command-line arguments of the job (templated). An argument that renders to nothing is left out together
        with the option before it, so that ``["--from", "{{ params.start or '' }}"]`` needs no condition.
    pool, retries, retry_delay
        As in any operator, with the defaults of a Spark job.
    """

    def __init__(
        self,
        *,
        job: str,
        arguments: Sequence[str] = (),
        pool: str = "spark",
        retries: int = 1,
        retry_delay: timedelta = timedelta(seconds=10),
        **kwargs: Any,
    ) -> None:
        super().__init__(
            conn_id="spark_default",
            spark_binary=str(Path(sysconfig.get_path("scripts")) / "spark-submit"),
            application=str(JOBS_DIR / f"{job}.py"),
            application_args=["--run-id", "{{ dag.dag_id }}/{{ run_id }}", *arguments],
            name=f"segue-{job}",
            pool=pool,
            retries=retries,
            retry_delay=retry_delay,
            **kwargs,
        )
        self.job = job

    def execute(self, context: Context) -> None:
        """Submit the job, and let its own last words be the reason of a failure."""
        self.application_args = without_empty_options(self.application_args or [])
        try:
            super().execute(context)
        except AirflowException as error:
            output = str(error).rpartition("Last spark-submit output:\n")[2].strip()
            last_line = output.rpartition("\n")[2]
            if last_line.startswith(REFUSAL):
                raise AirflowFailException(last_line.removeprefix(REFUSAL)) from None
            raise AirflowException(f"Spark job {self.job!r} failed. Its last output:\n{output}") from None


def without_empty_options(arguments: Sequence[str]) -> list[str]:
    """Drop each ``--option`` whose value rendered to an empty string."""
    kept: list[str] = []
    for argument in arguments:
        if argument == "":
            kept.pop()
        else:
            kept.append(argument)
    return kept
