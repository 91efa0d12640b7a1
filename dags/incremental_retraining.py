"""Retrain the recommender as soon as enough new listens have arrived, without waiting for the night.

**What.** A sensor waits, without taking a worker, until `min_events` listens wait in Kafka for this DAG's
consumer group (or one, after `max_wait_minutes`). Spark reads exactly the offsets that the sensor saw and
everything before them. The champion is not trained anew: its listeners are folded in, and the factors of the
tracks whose plays have changed are solved again. Challenger and champion are judged by the later half of what the
champion has not seen: if the challenger's NDCG@10 is at most 1 % worse, it takes in everything, becomes the
`champion`, and every listener gets new recommendations; otherwise the champion is kept, and the summary says so.
The summary also counts the updates since the last full training (the DAG `recommender`) and shows the NDCG@10 of
that one. Only then are the offsets committed.

**When.** Always: a run that ends is followed by the next, which waits. To stop it, pause the DAG. To take in first
what waits, trigger it with 0 minutes as the longest wait, and pause it when that run has ended.

**Replay.** Triggered by hand with a time or offsets, a run waits for nothing: its window reaches from there to
the end, and what the champion has seen of it is taken in once more. No listen counts twice, as every update starts
from all plays; the tracks of the window are solved again. The committed offsets never go back. The run that waits
gives way to one that is triggered.

**Inputs.** The Kafka topic `listens`, collection `tracks` in MongoDB, the champion. Without a champion the
training is a full one, as in the DAG `recommender`.

**Outputs.** As of the DAG `recommender`, and the committed offsets of the group `segue-incremental-retraining`.

**When it fails.** Nothing is committed, and the next run covers the same listens and what has come since. After
five failures in a row the DAG pauses itself: see the last line of the failed task's log, then unpause it.

- *summary* is skipped: retention had deleted listens before they were used; its log says how many.
- *wait_for_listens* waits out a broker that is down or a topic that does not exist yet; its log says so.
- *commit*: Kafka did not answer. Clear the task.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag

from segue.settings import get_settings
from segue_kafka import KafkaBacklogSensor, KafkaCommitOperator
from segue_spark import SparkJobOperator
from segue_training import training_summary

PARAMS = {
    "min_events": Param(
        250,
        type="integer",
        minimum=1,
        title="New listens",
        description="How many listens must wait before the recommender is trained on them.",
    ),
    "max_wait_minutes": Param(
        60,
        type="number",
        minimum=0,
        title="Longest wait, in minutes",
        description="After this time a single new listen suffices. 0: train on whatever waits now.",
    ),
    "replay_from": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Replay from a time",
        description="Wait for nothing, and take in once more what Kafka got from then on (UTC unless it says "
        "otherwise), also what the champion has seen. No listen counts twice, and no offset is committed back.",
    ),
    "replay_offsets": Param(
        None,
        type=["null", "object"],
        title="Replay from offsets",
        description='The same by position, such as {"0": 120}: first offset by partition. Partitions that are not '
        "named begin where the group stands. What retention has deleted is left out and counted.",
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
    doc_md=__doc__,
)
def incremental_retraining() -> None:
    """Wire the retraining."""
    settings = get_settings()
    wait = KafkaBacklogSensor(
        task_id="wait_for_listens",
        topic=settings.listens_topic,
        group=settings.retraining_group,
        min_events="{{ params.min_events }}",
        max_wait_s="{{ params.max_wait_minutes * 60 }}",
        replay_from="{{ params.replay_from or '' }}",
        replay_offsets="{{ params.replay_offsets | tojson if params.replay_offsets else '' }}",
    )
    retrain = SparkJobOperator(
        task_id="retrain", job="retrain_incrementally", arguments=["--window", WINDOW, "--replay", REPLAY]
    )
    commit = KafkaCommitOperator(task_id="commit", window=WINDOW, group=settings.retraining_group, retries=3)
    wait >> retrain >> commit >> training_summary("retrain_incrementally", "MongoDB collection `recommendations`")


incremental_retraining()
