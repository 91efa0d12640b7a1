"""Do what a run of the DAG `corpus` does, without Airflow and with one Spark session for all jobs.

Takes the id of the run. Prints what the tasks print.
"""

from __future__ import annotations

import runpy
import sys
from contextlib import nullcontext
from datetime import UTC, datetime

from segue.connections import mongo, spark
from segue.corpus import steps
from segue.settings import PROJECT_DIR, get_settings

DAYS = "the first day to the last day"


def main(run_id: str) -> None:
    settings, started = get_settings(), datetime.now(UTC)
    with mongo.database() as database, spark.job("corpus") as session:
        spark.job = lambda _: nullcontext(session)

        def run(job: str) -> None:
            sys.argv = [f"{job}.py", "--run-id", run_id]
            runpy.run_path(str(PROJECT_DIR / "spark_jobs" / f"{job}.py"), run_name="__main__")

        if steps.has_changed(database, run_id, DAYS, "skip", settings):
            for job in ("inventory", "extract", "integrate"):
                run(job)
            steps.check_quality(database, run_id, settings)
            run("publish")
        steps.conclude(database, run_id, DAYS, started, settings)


if __name__ == "__main__":
    main(sys.argv[1])
