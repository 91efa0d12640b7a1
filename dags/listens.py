"""From Kafka to the lake: every listen once, in the day it was listened to.

**What.** The DAG reads the topic `listens`, from the offsets that are stored in the Delta table `listens` to the
topic's end. It inserts the events that the table does not have. Late and back-dated listens go into the day on
which they were heard. Then the DAG removes the listens that users have deleted and those of forgotten users, and
matches the unmatched listens with the present corpus. Finally it compares the ids of the lake's listens with those
in MongoDB. `segue status` reports what either lacks.

**When.** Every midnight (UTC), for the day that has just ended. That day is the run's *partition*, and the summary
shows its figures. Messages of other days are ingested too.

**How to run it.**

| to | do |
|---|---|
| ingest what is new in Kafka | trigger it without dates |
| rebuild days from Kafka | trigger it with mode `rebuild` and the days, or *Backfill* with mode `rebuild` |
| see the table's figures for some days | trigger it with the days |

**Inputs.** The topic `SEGUE_LISTENS_TOPIC`; MongoDB's `tracks` (the catalogue) and `removals`.

**Outputs.** The Delta table `listens`, partitioned by `listened_on`. Messages that cannot be read as events go to
`SEGUE_DEAD_LETTERS_TOPIC` (`segue dlq`). The job writes offsets and rows in one commit; after a kill, run it
again.

**When it fails.** The last line of the failed task's log says what and why. Nothing was lost; clear the task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task

import segue_assets
from segue_connections import mongo_database
from segue_days import DayByDay
from segue_outcome import tell
from segue_params import LEAVE_EMPTY, refuse_wrong_params
from segue_spark import SparkJobOperator
from segue_tasks import DEFAULTS, PYTHON_TASK, RUN_ID, TIME_LIMIT, documented, refusals_fail_at_once

PARAMS = {
    "day_from": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First day",
        description="First day of listening (UTC). Empty: the run's partition; all days if it has none. "
        f"{LEAVE_EMPTY}",
    ),
    "day_to": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Last day",
        description=f"Inclusive. Empty: as above. {LEAVE_EMPTY}",
    ),
    "mode": Param(
        "new",
        enum=["new", "rebuild"],
        values_display={"new": "ingest what is new in Kafka", "rebuild": "rebuild the days from Kafka"},
        title="What to do",
        description="Both lead to the same rows, whatever the table held before.",
    ),
}


@dag(
    schedule=DayByDay(),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "listens"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def listens() -> None:
    """Wire the pipeline."""
    days = [
        *("--from", "{{ params.day_from or partition_key or '' }}"),
        *("--to", "{{ params.day_to or partition_key or '' }}"),
    ]
    ingest = SparkJobOperator(
        task_id="ingest",
        job="ingest_listens",
        arguments=["--mode", "{{ params.mode }}", *days],
        pre_execute=refuse_wrong_params,
        outlets=[segue_assets.LISTENS],
    )
    ingest >> summary(RUN_ID)


@task(**PYTHON_TASK, execution_timeout=TIME_LIMIT)
def summary(run: str, ti: Any = None) -> None:
    """Print the report of the run."""
    from segue.listens.reports import ListensReport
    from segue.runs import summaries

    with refusals_fail_at_once(), mongo_database() as database:
        report = summaries.require(run, ListensReport, source=database)
    print(summaries.render("listens", report), report.sentence(), sep="\n", flush=True)
    tell(ti, report.sentence())


listens()
