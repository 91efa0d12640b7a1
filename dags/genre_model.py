"""Learn which genre a track is of, from its audio features.

**What.** Spark reads the published tracks from MongoDB, tries a few classifiers, chooses on the validation
part, judges the chosen one on the test part, and lets it serve (registry alias `champion`) if it is better than
guessing and no worse than the champion on the same test tracks. No artist is in two of train, validation and
test, except of genres with fewer than five artists, which are split by track; the summary names them.

**When.** Every night at 02:00 (UTC), and by hand.

**Inputs.** The collection `tracks` in MongoDB, which the DAG `corpus` fills. Tracks without a genre, and genres
of fewer than ten tracks, are left out and counted.

**Outputs.** A version of the model `genre` in MLflow: Spark's own format, parameters, metrics by genre,
confusion matrix (`report.json`).

**When it fails.** The last line of the failed task's log says what and why. The old champion goes on serving.

- *train*, "No published track has a genre": tag the files or name genres in the metadata table, run `corpus`,
  then this again.
- *train*, anything else: it is tried again once by itself; then clear the task.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag

from segue_spark import SparkJobOperator
from segue_training import training_summary

PARAMS = {
    "seed": Param(
        0,
        type="integer",
        minimum=0,
        title="Seed",
        description="Of the random forest. The same tracks and seed give the same model.",
    ),
}


@dag(
    # Without a start date and with this, unpausing the DAG does not start the run of the night before.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["segue", "model"],
    doc_md=__doc__,
)
def genre_model() -> None:
    """Wire the training."""
    train = SparkJobOperator(task_id="train", job="train_genre", arguments=["--seed", "{{ params.seed }}"])
    train >> training_summary("train_genre", "model `genre` in MLflow")


genre_model()
