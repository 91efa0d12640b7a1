"""Train the recommender on all listens, and recommend tracks to every listener, with reasons.

**What.** Spark reads the listens of the lake, and from Kafka those that arrived after the DAG `listens` last
updated the lake. The last tenth of the plays is the test window. The fifth before it is the validation window, on
which all choices are made by the NDCG@10 of tracks that were not played before. The choices are the parameters of
implicit ALS (MLlib), the weight of the audio, and the blend with EASE, item cosine, GF-CF, sound and popularity.
The result is evaluated once on the test window, beside its baselines; the table is in the log of the task *train*.
Unless it is significantly worse than popularity, it is fitted on all plays and becomes the `champion`, and every
listener gets a new list. docs/recommender.md has the details.

If a *challenger* is compared with the champion while both serve (`segue models challenge`), the task
*online_evaluation* first counts what listeners have played of both. It ends the comparison if it is decided, and
makes the better version the champion. The training then compares its choice with the champion's recipe, as always.

**When.** Every night at 03:00 (UTC), unless `SEGUE_RECOMMENDER_SCHEDULE` says otherwise, and by hand.

**As of a past day.** A run that is triggered with *As of* learns from the lake's listens up to that day. A run of
a backfill learns from those of the days before its own day. Such a run uses the tracks of today. It leaves out the
listens that were deleted up to today, and those of users who were forgotten up to today. The result is a version
like any other, with its report, but it does not serve until you run `segue models promote recommender N`.

**Inputs.** The lake's `listens`, the Kafka topic `listens`, the collection `tracks` in MongoDB. The training does
not use messages that are malformed, are duplicates, or name a track that is not in the corpus. It counts them by
reason.

**Outputs.** The collection `recommendations` in MongoDB, one document a listener; a version of the model
`recommender` in MLflow; the page *Report* of the run. The offsets of the listens are committed for
`incremental_retraining`, which then leaves them out.

**When it fails.** The last line of the failed task's log says what and why. The old recommendations stay.

- *online_evaluation*: the comparison goes on, and the training runs nevertheless. Clear the task to try again.
- *train*, "holds no listens": send some.
- *commit*: Kafka did not answer. Clear the task. Otherwise `incremental_retraining` processes these listens again,
  which costs time but does no harm.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag, task

import segue_assets
from segue.settings import get_settings
from segue_connections import mongo_database
from segue_days import by_the_clock
from segue_kafka import KafkaCommitOperator
from segue_params import refuse_wrong_params
from segue_spark import SparkJobOperator
from segue_tasks import (
    DEFAULTS,
    PYTHON_TASK,
    RUN_ID,
    STARTED,
    TIME_LIMIT,
    documented,
    refusals_fail_at_once,
    training_summary,
)

PARAMS = {
    "seed": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        title="Seed",
        description="Seed for the sets of ALS parameters that are tried, and for the initial factors. Empty: a "
        "seed of the run's own, which its retries share.",
    ),
    "trials": Param(
        4,
        type="integer",
        minimum=1,
        maximum=60,
        title="Trials",
        description="Number of choices of ALS' parameters that are tried. Each takes a fit.",
    ),
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="As of",
        description="Learn only from the lake's listens up to this day (UTC, inclusive). The result is kept as a "
        "version and does not serve. Empty: all listens up to now. In a backfill, leave it empty: each run learns "
        "up to the day before its own.",
    ),
}
SEED = "{{ params.seed if params.seed is not none else '' }}"
AS_OF = "{{ params.as_of or (macros.ds_add(ds, -1) if dag_run.run_type == 'backfill' else '') }}"

settings = get_settings()


@dag(
    schedule=by_the_clock(settings.recommender_schedule, settings.timezone),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "model", "listens"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def recommender() -> None:
    """Wire the training."""
    train = SparkJobOperator(
        task_id="train",
        job="train_recommender",
        arguments=["--seed", SEED, "--trials", "{{ params.trials }}", "--as-of", AS_OF],
        pre_execute=refuse_wrong_params,
        trigger_rule="all_done",  # a comparison that cannot be evaluated must not cost the night its training
        inlets=[segue_assets.TRACKS, segue_assets.LISTENS],
        outlets=[segue_assets.RECOMMENDER, segue_assets.RECOMMENDATIONS, segue_assets.FULL_TRAINING],
    )
    commit = KafkaCommitOperator(
        task_id="commit",
        window="{{ ti.xcom_pull('find_learned_listens') }}",
        group=settings.retraining_group,
    )
    (
        online_evaluation(RUN_ID, AS_OF)
        >> train
        >> find_learned_listens(RUN_ID)
        >> commit
        >> training_summary(RUN_ID, STARTED, "train_recommender", "MongoDB collection `recommendations`")
    )


@task(**PYTHON_TASK | {"pre_execute": refuse_wrong_params}, execution_timeout=TIME_LIMIT)
def online_evaluation(run: str, as_of: str) -> None:
    """Evaluate the comparison of a challenger with the champion, if there is one, and end it if it is decided."""
    from segue.recommender.online.deciding import decide

    if as_of:
        print("A training for a past day leaves the comparison as it is.", flush=True)
        return
    with refusals_fail_at_once(), mongo_database() as database:
        print(decide(run, database, settings, datetime.now(UTC)).said, flush=True)


@task(**PYTHON_TASK, execution_timeout=TIME_LIMIT)
def find_learned_listens(run: str) -> str:
    """Return the window of the listens that the champion has learned. It is empty if the champion was kept."""
    from segue.recommender.reports import FullTrainingReport
    from segue.runs import summaries

    with refusals_fail_at_once(), mongo_database() as database:
        report = summaries.require(run, FullTrainingReport, source=database)
    came = "The champion has learned these listens" if report.decision == "promoted" else "The champion was kept"
    print(f"{came}. The next task commits: {report.learned}", flush=True)
    return report.learned


recommender()
