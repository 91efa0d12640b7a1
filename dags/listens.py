"""From Kafka to the lake: every listen once, in the day it was listened to.

**What.** Reads the topic `listens` from the offsets that the Delta table `listens` has noted to the topic's end,
and inserts the events that the table has not got. Late and back-dated listens land in their own day. Then removes
what users have taken back, and matches the unmatched listens with the corpus as it is now.

**When.** Every midnight (UTC), for the day that has ended. That day is the run's *partition*: its figures
are in the summary. Whatever has come for other days is taken along.

**How to run it.**

| you want | do |
|---|---|
| what is new in Kafka | trigger it without dates |
| to build days anew from Kafka | trigger it with mode `rebuild` and the days, or *Backfill* with mode `rebuild` |
| to know what the table holds of some days | trigger it with the days |

**Inputs.** The topic `SEGUE_LISTENS_TOPIC`; MongoDB's `tracks` (the catalogue) and `removals`.

**Outputs.** The Delta table `listens`, partitioned by `listened_on`. Messages that are no events go to
`SEGUE_DEAD_LETTERS_TOPIC` (`segue dlq`). Offsets and rows are one commit: after a kill, run it again.

**When it fails.** The last line of the failed task's log says what and why. Nothing was lost; clear the task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task

from segue_days import DayByDay
from segue_mongo import mongo_database
from segue_spark import SparkJobOperator

PARAMS = {
    "day_from": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First day",
        description="Day of listening (UTC). Empty: the run's own partition, or without one, all days.",
    ),
    "day_to": Param(
        None, type=["null", "string"], format="date", title="Last day", description="Inclusive; empty as above."
    ),
    "mode": Param(
        "new",
        enum=["new", "rebuild"],
        values_display={"new": "take what is new in Kafka", "rebuild": "build the days anew from Kafka"},
        title="What to do",
        description="Both end the same, whatever was there before.",
    ),
}


@dag(
    schedule=DayByDay(),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "listens"],
    doc_md=__doc__,
)
def listens() -> None:
    """Wire the pipeline."""
    days = [
        *("--from", "{{ params.day_from or partition_key or '' }}"),
        *("--to", "{{ params.day_to or partition_key or '' }}"),
    ]
    ingest = SparkJobOperator(
        task_id="ingest", job="ingest_listens", arguments=["--mode", "{{ params.mode }}", *days]
    )
    ingest >> summary()


@task
def summary(dag_run: Any) -> None:
    """Say what came of the run, and keep it."""
    from airflow.sdk.exceptions import AirflowFailException

    from segue.runs import summaries

    run_id, database = f"{dag_run.dag_id}/{dag_run.run_id}", mongo_database()
    found = summaries.read(run_id, source=database).get("ingest_listens")
    if found is None:
        raise AirflowFailException(f"The task `ingest` of {run_id} has left no summary.")
    print(summaries.render("listens", found))
    summaries.write(run_id, "summary", found, into=database)


listens()
