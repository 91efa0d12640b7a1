"""Retrain the recommender as soon as enough new listens have arrived, without waiting for the night.

**What.** A sensor waits, without taking a worker, until Kafka holds `min_events` listens that this DAG's consumer
group has not committed. After `max_wait_minutes`, one such listen suffices. Spark reads all listens up to the
offsets that the sensor saw, and none after them. The update does not train from the beginning: it starts from the
champion, folds the listeners in, and computes the factors of tracks with new plays again. The challenger is
compared on the later half of the listens that the champion has not seen, with the last version that was promoted
without reservation. The differences of all windows since that version add up. Unless the challenger is surely
worse, it also learns from that half and becomes the `champion`, and every listener gets new recommendations. As
long as it may be more than 5 % worse, it serves provisionally. If the windows after it show that it is worse, the
version before serves again. The summary says what was decided and how sure it is. The offsets are committed only
after that. The summary also counts the updates since the last full training (the DAG `recommender`) and shows that
training's NDCG@10.

**When.** Always: when a run ends, the next one starts and waits. To stop it, pause the DAG. If you first want to
process what is in Kafka now, trigger it with 0 minutes as the longest wait, and pause it when that run has ended.

**Replay.** Trigger it by hand with a time or with offsets. Such a run does not wait. Its window reaches from there
to the end of the topic. The run processes the listens of this window again, even those that the champion has seen.
No listen counts twice, because the update computes the factors of the window's tracks from all plays. The
committed offsets never go back. If another run is waiting, it is skipped, and the triggered run goes first. A time
in the future, and a time or offsets after which nothing has arrived, are refused.

**Inputs.** The Kafka topic `listens`, the collection `tracks` in MongoDB, the champion. Without a champion the
training is a full one, as in the DAG `recommender`.

**Outputs.** Those of the DAG `recommender`, and the committed offsets of the group `segue-incremental-retraining`.

**When it fails.** Nothing is committed, and the next run covers the same listens and those sent since. After five
failures in a row the DAG pauses itself. Read the last line of the failed task's log, then unpause it.

- *summary* is skipped: retention had deleted listens before they were used; its log says how many.
- *wait_for_listens* waits while a broker is down or a topic does not exist yet; its log says so.
- *commit*: Kafka did not answer. Clear the task.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag

import segue_assets
from segue.settings import get_settings
from segue_kafka import KafkaBacklogSensor, KafkaCommitOperator
from segue_params import refuse_wrong_params
from segue_spark import SparkJobOperator
from segue_tasks import DEFAULTS, RUN_ID, STARTED, documented, training_summary

PARAMS = {
    "min_events": Param(
        250,
        type="integer",
        minimum=1,
        title="New listens",
        description="Number of new listens to wait for before the recommender is retrained.",
    ),
    "max_wait_minutes": Param(
        60,
        type="number",
        minimum=0,
        title="Longest wait, in minutes",
        description="After this time, one new listen suffices. 0: retrain on the listens that are in Kafka now.",
    ),
    "replay_from": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Replay from a time",
        description="Do not wait, and process again all listens that Kafka received since this time (UTC unless "
        "it has an offset). No listen counts twice, and committed offsets do not go back.",
    ),
    "replay_offsets": Param(
        None,
        type=["null", "object"],
        minProperties=1,
        propertyNames={"pattern": r"^\d+$"},
        additionalProperties={"type": "integer", "minimum": 0},
        title="Replay from offsets",
        description='The same by first offset of each partition, such as {"0": 120}. Partitions that are not '
        "named start at the committed offset. Offsets that retention has deleted are left out and counted.",
    ),
}
WINDOW = "{{ ti.xcom_pull('wait_for_listens') | tojson }}"
REPLAY = "{{ 'yes' if params.replay_from or params.replay_offsets else '' }}"


@dag(
    schedule="@continuous",
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_consecutive_failed_dag_runs=5,
    params=PARAMS,
    tags=["segue", "model", "listens"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def incremental_retraining() -> None:
    """Wire the retraining."""
    settings = get_settings()
    wait = KafkaBacklogSensor(
        task_id="wait_for_listens",
        pre_execute=refuse_wrong_params,
        topic=settings.listens_topic,
        group=settings.retraining_group,
        min_events="{{ params.min_events }}",
        max_wait_s="{{ params.max_wait_minutes * 60 }}",
        replay_from="{{ params.replay_from or '' }}",
        replay_offsets="{{ params.replay_offsets | tojson if params.replay_offsets else '' }}",
    )
    retrain = SparkJobOperator(
        task_id="retrain",
        job="retrain_incrementally",
        arguments=["--window", WINDOW, "--replay", REPLAY],
        inlets=[segue_assets.TRACKS, segue_assets.LISTENS],
        outlets=[segue_assets.RECOMMENDER, segue_assets.RECOMMENDATIONS],
    )
    commit = KafkaCommitOperator(task_id="commit", window=WINDOW, group=settings.retraining_group)
    (
        wait
        >> retrain
        >> commit
        >> training_summary(RUN_ID, STARTED, "retrain_incrementally", "MongoDB collection `recommendations`")
    )


incremental_retraining()
