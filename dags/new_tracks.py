"""Let the models follow the corpus: new tracks can be recommended soon after they are published.

**What.** A sensor waits, without taking a worker, until the DAG `corpus` announces days whose tracks are new or
have changed. Then two tasks run. *place_new_tracks* gives the recommender the present catalogue: a track that
nobody has played gets the factors that its audio predicts, and relations by sound are computed again. The task
takes in no listens, and tracks that were played keep their factors. If anything differs, the result is the new
`champion`, and every listener gets new recommendations. *refit_genre* fits the genre champion's choice of
classifier and parameters to the present tracks and labels, without a search. As in the nightly training, the
result has to beat the champion. The champion then predicts the genre of tracks that have none. Each task runs even
if the other fails. The offsets are committed when both have succeeded.

**When.** Always: when a run ends, the next one starts and waits. To stop it, pause the DAG.

**Inputs.** The Kafka topic `tracks`, with one message for each day of the corpus, sent by the task *publish* of
the DAG `corpus`; the collection `tracks` in MongoDB; the Kafka topic `listens`; the champion.

**Outputs.** A version of the model `recommender` in MLflow; the collection `recommendations` in MongoDB; in the
collection `tracks` the fields `genre_predicted`, `genre_probability` and `genre_model`; the committed offsets of
the group `segue-new-tracks`.

**When it fails.** Nothing is committed, and the next run covers the same days and those announced since. After
five failures in a row the DAG pauses itself. Read the last line of the failed task's log, then unpause it.

- *wait_for_tracks* waits while a broker is down or a topic does not exist yet; its log says so.
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
    "min_days": Param(
        1,
        type="integer",
        minimum=1,
        title="Changed days",
        description="Number of announcements to wait for. A corpus run sends one for each day that it changes.",
    ),
    "max_wait_minutes": Param(
        60,
        type="number",
        minimum=0,
        title="Longest wait, in minutes",
        description="After this time, one announcement suffices.",
    ),
}
WINDOW = "{{ ti.xcom_pull('wait_for_tracks') | tojson }}"


@dag(
    schedule="@continuous",
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_consecutive_failed_dag_runs=5,
    params=PARAMS,
    tags=["segue", "model", "corpus"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def new_tracks() -> None:
    """Wire the updates."""
    settings = get_settings()
    wait = KafkaBacklogSensor(
        task_id="wait_for_tracks",
        pre_execute=refuse_wrong_params,
        topic=settings.tracks_topic,
        group=settings.new_tracks_group,
        min_events="{{ params.min_days }}",
        max_wait_s="{{ params.max_wait_minutes * 60 }}",
    )
    # The pool has one slot by default. Recommendations come first, because the refit takes longer.
    place = SparkJobOperator(
        task_id="place_new_tracks",
        job="place_new_tracks",
        arguments=["--window", WINDOW],
        priority_weight=9,
        inlets=[segue_assets.TRACKS],
        outlets=[segue_assets.RECOMMENDER, segue_assets.RECOMMENDATIONS],
    )
    refit = SparkJobOperator(
        task_id="refit_genre",
        job="train_genre",
        arguments=["--search", "refit"],
        inlets=[segue_assets.TRACKS],
        outlets=[segue_assets.GENRE],
    )
    commit = KafkaCommitOperator(task_id="commit", window=WINDOW, group=settings.new_tracks_group)
    summary = training_summary(RUN_ID, STARTED, "place_new_tracks", "MongoDB collection `recommendations`")
    wait >> [place, refit] >> commit >> summary


new_tracks()
