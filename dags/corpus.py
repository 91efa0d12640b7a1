"""From a folder of music to the integrated dataset.

**What.** The DAG lists the audio files and extracts 518 audio features from each with Spark. It merges them with
the metadata table and the files' tags, cleans and checks the result, and publishes one document a track to
MongoDB. If there is little to do, the Spark application of *inventory* goes on with the three jobs after it, and
their tasks take over the results. Its log then shows their work.

**When.** Every midnight (UTC), for the files that entered the corpus on the day that has just ended. That day is
the run's *partition*. The day of a track is its `date_created` in the metadata, or else the day on which Segue
first saw its file. A track's day never changes. The nightly run also processes *late days*: earlier days whose
files were added, changed or removed since their run, or whose run ended before `integrate`.

**How to run it.**

| to process | do |
|---|---|
| everything that is new, of all days (also the first load) | trigger it without dates |
| some days | trigger it with *first day* and *last day* |
| a range of days, with one run a day | *Backfill* |
| nothing: only list what would be extracted | mode `ping` |
| unchanged files again | mode `force` |

**Inputs.** The folder `SEGUE_MUSIC`, and optionally a table of metadata: `metadata.csv` in that folder, another
table, or FMA's (see docs/corpus.md).

**Outputs.** Delta tables `inventory`, `features`, `rejects` and `tracks` in the lake; the collection `tracks` in
MongoDB; on the Kafka topic `tracks`, a message for each day that has changed. A second run, or a rerun after a
kill, leaves the same rows. The task *skip_unless_changed* compares files, metadata, rules and limits with those
from which these days were published, by whichever runs. If nothing has changed, it skips all tasks up to the
summary, and no Spark job starts.

**When it fails.** The last line of the failed task's log says what and why.

- *inventory*: there is no such folder, no audio in it, or metadata cannot be read. Correct what the message names.
  If many files are gone at once, a disk or share is probably away: bring it back, then clear the task.
- *extract*, *integrate* or *publish*, if cleared, run by themselves in a Spark application of their own.
- *extract*: clear the task. It keeps what it has committed, unless the mode is `force`. A file that cannot be used
  does not make it fail; the file becomes a row of `rejects`.
- *quality_gate*: the log shows a table of the checks that failed. Nothing was published, and the collection
  `quarantine` names the days. Correct files or metadata, or change the setting that the message names, then run
  these days again. If another run has changed the inventory meanwhile, the message says what to clear.
- any task, "Disk full": free some space. The task is retried for a quarter of an hour; after that, clear it.
- *publish*: MongoDB or Kafka was not reachable. Clear the task; the next nightly run does not repeat it.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from airflow.sdk import Param, dag, task

import segue_assets
from segue.settings import get_settings
from segue_ahead import MayBeDoneOperator
from segue_connections import mongo_database
from segue_days import DayByDay
from segue_outcome import tell
from segue_params import LEAVE_EMPTY, refuse_wrong_params
from segue_spark import SparkJobOperator
from segue_tasks import DEFAULTS, PYTHON_TASK, RUN_ID, STARTED, TIME_LIMIT, documented, refusals_fail_at_once

DAYS = [
    *("--from", "{{ params.partition_from or partition_key or '' }}"),
    *("--to", "{{ params.partition_to or partition_key or '' }}"),
]

MODE = "{{ params.mode }}"

# Name of the days that a run covers; `segue.corpus.publications` reads it. The nightly run covers late days too.
RANGE = (
    "{{ params.partition_from or partition_key or 'the first day' }} to "
    "{{ params.partition_to or partition_key or 'the last day' }}"
    "{{ ' and late days' if dag_run.run_type == 'scheduled' else '' }}"
)

# The heavy work on audio runs in Python. The JVM does the rest. Without its second compiler, it uses 40 % less CPU
# time.
JVM = {"spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}

# If a run has to extract at most this many files, the application of `inventory` goes on with the following jobs.
# A cleared or retried task does only its own work.
LITTLE = 1_000
GO_ON = f"{{{{ {LITTLE} if params.mode == 'skip' and ti.try_number == 1 else '' }}}}"

PARAMS = {
    "partition_from": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First day",
        description="First day on which tracks entered the corpus. Empty: the run's partition; all days if it has "
        f"none. {LEAVE_EMPTY}",
    ),
    "partition_to": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Last day",
        description="Inclusive. A run processes all its days together, which is the quick way for a first load. "
        f"{LEAVE_EMPTY}",
    ),
    "mode": Param(
        "skip",
        enum=["skip", "force", "ping"],
        values_display={
            "skip": "skip files that are done",
            "force": "extract all files again",
            "ping": "only list what would be extracted",
        },
        title="Files already extracted",
        description="A file is done as long as its content and the version of the features stay the same.",
    ),
}


@dag(
    schedule=DayByDay(),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "corpus"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def corpus() -> None:
    """Wire the pipeline."""
    # In a nightly run, new files without a date get the day that has just ended. In any other run, they get today.
    # Only the nightly run looks for late days.
    night_of = "{{ partition_key if dag_run.run_type == 'scheduled' else '' }}"
    inventory = SparkJobOperator(
        task_id="inventory",
        job="inventory",
        arguments=[*DAYS, "--night-of", night_of, "--go-on", GO_ON],
        conf=JVM,
    )
    spark_job = partial(MayBeDoneOperator, conf=JVM)
    extract = spark_job(
        task_id="extract", job="extract", arguments=[*DAYS, "--mode", MODE], outlets=[segue_assets.FEATURES]
    )
    integrate = spark_job(task_id="integrate", job="integrate", arguments=DAYS, inlets=[segue_assets.FEATURES])
    publish = spark_job(task_id="publish", job="publish", arguments=DAYS, outlets=[segue_assets.TRACKS])
    (
        skip_unless_changed(RUN_ID, RANGE, MODE)
        >> inventory
        >> extract
        >> skip_if_ping(MODE)
        >> integrate
        >> quality_gate(RUN_ID)
        >> publish
        >> summary(RUN_ID, RANGE, STARTED)
    )


@task.short_circuit(
    ignore_downstream_trigger_rules=False,
    **PYTHON_TASK | {"pre_execute": refuse_wrong_params},
    execution_timeout=TIME_LIMIT,
)
def skip_unless_changed(run: str, days: str, mode: str) -> bool:
    """Skip to the summary if nothing has changed since these days were published. This needs no Spark job."""
    from segue.corpus import steps

    with refusals_fail_at_once(), mongo_database() as database:
        return steps.has_changed(database, run, days, mode, get_settings())


@task.short_circuit(ignore_downstream_trigger_rules=False, **PYTHON_TASK, execution_timeout=TIME_LIMIT)
def skip_if_ping(mode: str) -> bool:
    """Skip to the summary after a ping."""
    goes_on = mode != "ping"
    print(f"Mode {mode}: {'the run goes on' if goes_on else 'nothing more is done'}.", flush=True)
    return goes_on


@task(**PYTHON_TASK, execution_timeout=TIME_LIMIT)
def quality_gate(run: str) -> None:
    """Check the report of `integrate`. If a check fails, nothing is published."""
    from segue.corpus import steps

    with refusals_fail_at_once(), mongo_database() as database:
        steps.check_quality(database, run, get_settings())


@task(trigger_rule="none_failed", **PYTHON_TASK, execution_timeout=TIME_LIMIT)
def summary(run: str, days: str, started: str, ti: Any = None) -> None:
    """Print and keep the summary of the run; fail if nothing was published."""
    from segue.corpus import steps

    with refusals_fail_at_once(), mongo_database() as database:
        tell(ti, steps.conclude(database, run, days, datetime.fromisoformat(started), get_settings()))


corpus()
