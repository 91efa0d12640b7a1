"""From a folder of music to the integrated dataset.

**What.** Lists the audio files, extracts 518 audio features from each with Spark, merges them with the metadata
table and the files' tags, cleans, checks, and publishes one document a track to MongoDB.

**When.** Every midnight (UTC), for the files that entered the corpus on the day that ended. That day is the run's
*partition*: a track's `date_created` in the metadata, else the day its file was first seen. It never changes.
Earlier days whose files came, changed or went since their run, or whose run ended before `integrate`, are run
again with it.

**How to run it.**

| you want | do |
|---|---|
| everything that is new, of all days (also the first load) | trigger it without dates |
| some days | trigger it with *first day* and *last day* |
| one run a day, over a range | *Backfill* |
| to know what would be done | mode `ping` |
| to extract again what has not changed | mode `force` |

**Inputs.** The folder `SEGUE_MUSIC`; optional a table of metadata: its `metadata.csv`, another, or FMA's (see
docs/corpus.md).

**Outputs.** Delta tables `inventory`, `features`, `rejects` and `tracks` in the lake; the collection `tracks` in
MongoDB; on the Kafka topic `tracks` a message for each day that has changed. Running the DAG twice, or again
after a kill, leaves the same rows. Days in which nothing has changed since they
were published (files, metadata, rules, limits) are left as they are: the tasks after *unless_unchanged* are then
skipped.

**When it fails.** The last line of the failed task's log says what and why.

- *inventory*: no such folder, no audio in it, or metadata that cannot be read. Correct what the message names.
- *extract*: clear the task. What it has committed is kept, unless the mode is `force`. Unusable files do not fail
  it: they are in `rejects`.
- *quality_gate*: a table of what failed; nothing was published, the collection `quarantine` names the days. Mend
  files or metadata, or change the setting that the message names, then run these days again.
  If another run changed the inventory meanwhile, it says what to clear.
- any task, "A disk is full": free some space, then clear the task.
- *publish*: MongoDB or Kafka was not reachable. Clear the task; the next night does not do it.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

from segue_days import DayByDay
from segue_mongo import mongo_database
from segue_spark import SparkJobOperator

DAYS = [
    *("--from", "{{ params.partition_from or partition_key or '' }}"),
    *("--to", "{{ params.partition_to or partition_key or '' }}"),
]

MODE = "{{ params.mode }}"

# What a run covers. That of the night takes late days besides.
RANGE = (
    "{{ params.partition_from or partition_key or 'the first day' }} to "
    "{{ params.partition_to or partition_key or 'the last day' }}"
    "{{ ' and late days' if dag_run.run_type == 'scheduled' else '' }}"
)

# The heavy work, on audio, is Python's: a JVM that compiles less takes 40 % less CPU for the rest.
JVM = {"spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}

# MongoDB may be away for a moment. What is refused (AirflowFailException) fails at once all the same.
RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=10)}

PARAMS = {
    "partition_from": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First day",
        description="Day the tracks entered the corpus. Empty: the run's own partition, or without one, all days.",
    ),
    "partition_to": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Last day",
        description="Inclusive. Many days are done in one go, which is the quick way for a first load.",
    ),
    "mode": Param(
        "skip",
        enum=["skip", "force", "ping"],
        values_display={
            "skip": "skip what is done",
            "force": "extract everything again",
            "ping": "only say what would be extracted",
        },
        title="Files already extracted",
        description="A file is done while its content and the feature version stay the same.",
    ),
}


@dag(
    schedule=DayByDay(),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "corpus"],
    doc_md=__doc__,
)
def corpus() -> None:
    """Wire the pipeline."""
    # A nightly run gives new files without a date the day that ended, and looks for late ones; any other run gives
    # them today.
    night_of = "{{ partition_key if dag_run.run_type == 'scheduled' else '' }}"
    spark_job = partial(SparkJobOperator, conf=JVM)
    inventory = spark_job(task_id="inventory", job="inventory", arguments=["--night-of", night_of])
    extract = spark_job(task_id="extract", job="extract", arguments=[*DAYS, "--mode", MODE])
    integrate = spark_job(task_id="integrate", job="integrate", arguments=DAYS)
    publish = spark_job(task_id="publish", job="publish", arguments=DAYS)
    changed, really = unless_unchanged(RANGE, MODE), unless_ping(MODE)
    changed >> inventory >> extract >> really >> integrate >> quality_gate() >> publish >> summary(RANGE)


@task.short_circuit(ignore_downstream_trigger_rules=False, **RETRIES)
def unless_unchanged(days: str, mode: str, dag_run: Any) -> bool:
    """Go on to the summary if these days stand published as they are; no Spark job is started to tell."""
    from segue.corpus import steps
    from segue.settings import get_settings

    run_id = f"{dag_run.dag_id}/{dag_run.run_id}"
    return steps.has_changed(mongo_database(), run_id, days, mode, get_settings())


@task.short_circuit(ignore_downstream_trigger_rules=False)
def unless_ping(mode: str) -> bool:
    """Go on to the summary after a ping."""
    return mode != "ping"


@task(**RETRIES)
def quality_gate(dag_run: Any) -> None:
    """Check the report of `integrate`; nothing is published if it does not pass."""
    from segue.corpus import steps
    from segue.errors import SegueError
    from segue.settings import get_settings

    try:
        steps.check_quality(mongo_database(), f"{dag_run.dag_id}/{dag_run.run_id}", get_settings())
    except SegueError as error:
        raise AirflowFailException(str(error)) from None


@task(trigger_rule="none_failed", **RETRIES)
def summary(days: str, dag_run: Any) -> None:
    """Say what came of the run, keep it, and fail if it was nothing."""
    from segue.corpus import steps
    from segue.errors import SegueError
    from segue.settings import get_settings

    run_id = f"{dag_run.dag_id}/{dag_run.run_id}"
    try:
        steps.conclude(mongo_database(), run_id, days, dag_run.start_date, get_settings())
    except SegueError as error:
        raise AirflowFailException(str(error)) from None


corpus()
