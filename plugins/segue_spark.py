"""The operator that runs one of Segue's Spark jobs."""

from __future__ import annotations

import ast
import signal
import sysconfig
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

from segue.connections import for_airflow, spark
from segue.connections.java_output import NOISE
from segue.settings import get_settings
from segue_connections import checked
from segue_tasks import RETRYING, RUN_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

JOBS_DIR = Path(__file__).resolve().parents[1] / "spark_jobs"

CRASHES = 3
"""A job that has crashed is not retried from this try on."""
TERMINATED = {-signal.SIGTERM, 128 + signal.SIGTERM}
"""Exit codes of a job that was asked to end, as by ``segue down`` or an upgrade: its own, and that of its JVM."""


class QuietHook(SparkSubmitHook):
    """Log the lines of a job, but for `NOISE`."""

    def _process_spark_submit_log(self, itr: Iterator[Any]) -> None:
        super()._process_spark_submit_log(line for line in itr if not line.strip().endswith(NOISE))


class SparkJobOperator(SparkSubmitOperator):
    """Run ``spark_jobs/<job>.py`` with spark-submit.

    - The connection ``spark_default`` names the master (``local[2]``, ``spark://…``). All other properties of
      Spark are in SPARK_CONF_DIR.
    - The job gets the settings of this process as SEGUE_ variables, and ``--run-id <dag_id>/<run_id>`` before
      `arguments`. It stores its summary under that key.
    - The task takes a slot of the pool ``spark``. It has one, unless SEGUE_SPARK_APPLICATIONS says otherwise.
    - The exit code of the job decides what happens after a failure: see :mod:`segue.connections.spark`. After
      `REFUSED` the task fails at once. After `TRY_AGAIN` it is retried for a quarter of an hour, because a service
      is away, and also after SIGTERM. After a crash (any other code) it is retried until its third try.
    - A job that takes longer than ``SEGUE_SPARK_JOB_HOURS`` is ended and retried as after a crash. Otherwise a
      job that hangs would keep its slot of the pool.
    - After a failure, the log ends with the job's last line, which says what went wrong. After a crash, it ends
      with the job's last lines.

    Parameters
    ----------
    job : str
        Name of the file in ``spark_jobs`` without its suffix.
    arguments : sequence of str, optional
        Command-line arguments of the job (templated). An argument that renders to an empty string is left out
        together with the option before it, so that ``["--from", "{{ params.start or '' }}"]`` needs no condition.
    pool, retries, retry_delay, execution_timeout
        As in any operator, with the defaults of a Spark job.
    """

    def __init__(
        self,
        *,
        job: str,
        arguments: Sequence[str] = (),
        pool: str = "spark",
        retries: int = RETRYING["retries"],
        retry_delay: timedelta = RETRYING["retry_delay"],
        execution_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            conn_id=for_airflow.SPARK,
            spark_binary=str(Path(sysconfig.get_path("scripts")) / "spark-submit"),
            application=str(JOBS_DIR / f"{job}.py"),
            application_args=["--run-id", RUN_ID, *arguments],
            name=f"segue-{job}",
            pool=pool,
            retries=retries,
            retry_delay=retry_delay,
            execution_timeout=execution_timeout or timedelta(hours=get_settings().spark_job_hours),
            **{name: RETRYING[name] for name in ("retry_exponential_backoff", "max_retry_delay")}
            | {"doc_md": description(JOBS_DIR / f"{job}.py")}
            | kwargs,
        )
        self.job = job

    def execute(self, context: Context) -> None:
        """Submit the job, and translate its exit code."""
        checked(BaseHook.get_connection(for_airflow.SPARK), for_airflow.SPARK)
        self.application_args = without_empty_options(self.application_args or [])
        self.log.info("%s Arguments: %s", description(Path(self.application)), " ".join(self.application_args))
        try:
            super().execute(context)
        except AirflowTaskTimeout:
            raise self._last_of_three(
                context,
                AirflowTaskTimeout(
                    f"Spark job {self.job!r} took longer than {self.execution_timeout} and was ended. If it needs "
                    "longer, set SEGUE_SPARK_JOB_HOURS."
                ),
            ) from None
        except AirflowException as error:
            output = str(error).rpartition("Last spark-submit output:\n")[2].strip()
            last_line = output.rpartition("\n")[2]
            match self._exit_code():
                case spark.REFUSED:
                    raise AirflowFailException(last_line) from None
                case spark.TRY_AGAIN:
                    raise AirflowException(last_line) from None
            if self._exit_code() in TERMINATED:
                raise AirflowException(
                    f"Spark job {self.job!r} was stopped before it was done. Its last output:\n{output}"
                ) from None
            crash = AirflowException(f"Spark job {self.job!r} failed. Its last output:\n{output}")
            raise self._last_of_three(context, crash) from None

    def on_kill(self) -> None:
        """End the job, and say so."""
        super().on_kill()
        self.log.warning(
            "Stopped: Spark job %r was ended before it was done. What it had committed stays. Clear the task to "
            "run it again.",
            self.job,
        )

    def _last_of_three(self, context: Context, error: BaseException) -> BaseException:
        """Return the error. From the third try on, make it one that ends the task.

        A suspension may cost a try, because Airflow then starts a running task again. When a task is cleared,
        Airflow continues to count its tries, and raises their largest number.
        """
        instance = context.get("ti")
        if instance and instance.try_number >= instance.max_tries - (self.retries or 0) + CRASHES:
            return AirflowFailException(f"{error}")
        return error

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        hook.__class__ = QuietHook
        # Not passed as `env_vars`: on YARN and Kubernetes, Airflow writes these on spark-submit's command line,
        # passwords included.
        hook._env = get_settings().environment
        return hook

    def _exit_code(self) -> int | None:
        """Return the exit code of spark-submit; None if it was not started."""
        process = self._hook and self._hook._submit_sp
        return process.returncode if process else None


def description(job: Path) -> str:
    """Return what a job does: the first line of its docstring."""
    documented = ast.get_docstring(ast.parse(job.read_bytes())) or job.stem
    return documented.partition("\n")[0]


def without_empty_options(arguments: Sequence[str]) -> list[str]:
    """Drop each ``--option`` whose value rendered to an empty string."""
    kept: list[str] = []
    for argument in arguments:
        if argument == "":
            kept.pop()
        else:
            kept.append(argument)
    return kept
