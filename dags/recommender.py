"""Learn from all listens what to recommend, and recommend to every listener, with reasons.

**What.** Spark reads the listens of the lake, and from Kafka those that have come since the lake was brought up
to date (DAG `listens`). On the fifth of the plays before the last tenth everything is chosen by NDCG@10 of
tracks not played before: the parameters of implicit ALS (MLlib), how much the audio counts, the blend with
EASE, item cosine, sound and popularity. The last tenth judges the result once, against its baselines; the table
is in the log of the task *train*. Unless it is worse than popularity beyond chance, it is fitted on everything,
becomes the `champion`, and every listener gets a new list. docs/recommender.md tells all.

**When.** Every night at 03:00 (UTC), and by hand.

**As of a past day.** Triggered with *As of*, or by *Backfill*, a run learns from what the lake has of that day
and those before it; a backfilled run from the days before its own. Tracks and what users have taken back are
today's. What comes of it is a version like any other, with its report, and does not serve: `segue models
promote recommender N` lets it.

**Inputs.** The lake's `listens`, the Kafka topic `listens`; the collection `tracks` in MongoDB. Messages that
are malformed, sent again or of tracks that are not in the corpus are not used, and counted by reason.

**Outputs.** The collection `recommendations` in MongoDB, one document a listener; a version of the model
`recommender` in MLflow; the page *Report* of the run. The listens count as done for `incremental_retraining`.

**When it fails.** The last line of the failed task's log says what and why. The old recommendations stay.

- *train*, "holds no listens": send some.
- *done_with_listens*: Kafka did not answer. Clear the task; otherwise `incremental_retraining` looks at these
  listens again, which costs time and nothing else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from segue.settings import get_settings
from segue_kafka import KafkaCommitOperator
from segue_mongo import mongo_database
from segue_spark import SparkJobOperator
from segue_training import training_summary

PARAMS = {
    "seed": Param(
        0,
        type="integer",
        minimum=0,
        title="Seed",
        description="Of ALS' first factors.",
    ),
    "trials": Param(
        4,
        type="integer",
        minimum=1,
        maximum=60,
        title="Trials",
        description="How many choices of ALS' parameters are tried; each takes a fit.",
    ),
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="As of",
        description="Learn only from the lake's listens up to this day (UTC, inclusive). What comes of it is kept "
        "as a version and does not serve. Empty: all listens up to now.",
    ),
}
AS_OF = "{{ params.as_of or (macros.ds_add(ds, -1) if dag_run.run_type == 'backfill' else '') }}"


@dag(
    # Without a start date and with this, unpausing the DAG does not start the run of the night before.
    schedule=CronTriggerTimetable("0 3 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "model", "listens"],
    doc_md=__doc__,
)
def recommender() -> None:
    """Wire the training."""
    train = SparkJobOperator(
        task_id="train",
        job="train_recommender",
        arguments=["--seed", "{{ params.seed }}", "--trials", "{{ params.trials }}", "--as-of", AS_OF],
    )
    learned = learned_window()
    done = KafkaCommitOperator(
        task_id="done_with_listens",
        window="{{ ti.xcom_pull('learned_window') }}",
        group=get_settings().retraining_group,
        retries=3,
    )
    train >> learned >> done >> training_summary("train_recommender", "MongoDB collection `recommendations`")


@task
def learned_window(dag_run: Any) -> str:
    """Say which listens the champion now knows; none if it was kept."""
    from segue.runs import summaries

    return str(
        summaries.read(f"{dag_run.dag_id}/{dag_run.run_id}", source=mongo_database())["train_recommender"][
            "learned"
        ]
    )


recommender()
