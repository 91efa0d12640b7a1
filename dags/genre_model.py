"""Learn which genre a track is of, from its audio features.

**What.** Spark reads the published tracks from MongoDB and searches for the best classifier, features and
parameters by the macro F1 on the validation part. The winner is fitted again, judged once on the test part, and
compared with the champion, with MLlib's default, with scikit-learn's random forest and with guessing. It becomes
the `champion` only if it is better than the champion beyond chance (bootstrap over artists, 95 %). Then the
champion names the genre of tracks that have none. No artist is in two of train, validation and test, except of
genres with too few artists, which are split by track; the summary names them. docs/models.md tells all.

**When.** Every night at 02:00 (UTC), and by hand. On Sundays the search is wide; on other nights it begins with
what was best before.

A run that has not succeeded three hours after it was queued is a missed deadline: the triggerer's log says so.

**Inputs.** The collection `tracks` in MongoDB, which the DAG `corpus` fills. Tracks without a genre, and genres
of fewer than ten tracks, are left out and counted.

**Outputs.** A version of the model `genre` in MLflow: Spark's own format, parameters, metrics by genre and slice,
confusion matrix (`report.json`). In `tracks`: `genre_predicted`, `genre_probability`, `genre_model`.

**When it fails.** The last line of the failed task's log says what and why. The old champion goes on serving.

- *summary* is skipped: the corpus has nothing to learn from, such as no genre, or a single one; its log says so.
  Nothing need be done. For a genre model, tag the files or name genres in the metadata table, and run `corpus`.
- *train*: it is tried again once by itself, without the trials that have ended. Then clear it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AsyncCallback, CronTriggerTimetable, DeadlineAlert, DeadlineReference, Param, dag

from segue_deadlines import note_missed_deadline
from segue_spark import SparkJobOperator
from segue_training import training_summary

PARAMS = {
    "trials": Param(
        20,
        type="integer",
        minimum=1,
        maximum=1000,
        title="Trials",
        description="How many choices of classifier, features and parameters are tried at most.",
    ),
    "minutes": Param(
        12,
        type="number",
        minimum=0,
        title="Minutes",
        description="After this time no new trial begins. 0: one trial. Fitting the best choice, comparing and "
        "reporting come on top: some 5 minutes with 100,000 tracks on two cores.",
    ),
    "search": Param(
        "by day",
        type="string",
        enum=["by day", "warm", "wide"],
        title="Search",
        description="warm: begin with what was best before. wide: begin anew, with slow classifiers too. "
        "by day: wide on Sundays.",
    ),
    "parallelism": Param(
        0,
        type="integer",
        minimum=0,
        title="Parallelism",
        description="How many folds of a trial are fitted at the same time: two at most. 0: as many as the cores "
        "take. With 10,000 tracks to learn from or more there are no folds, and it changes nothing.",
    ),
    "seed": Param(
        0,
        type="integer",
        minimum=0,
        title="Seed",
        description="Of the search, of trees and of first weights. The same tracks and seed give the same model.",
    ),
}
DEADLINE_HOURS = 3
"""The recommender's training, an hour later, waits for this one's slot; nobody should find a stale model at 5."""

SEARCH = (
    "{{ params.search if params.search != 'by day' else "
    "'wide' if dag_run.run_after.isoweekday() == 7 else 'warm' }}"
)


@dag(
    # Without a start date and with this, unpausing the DAG does not start the run of the night before.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=DEADLINE_HOURS),
        callback=AsyncCallback(note_missed_deadline, kwargs={"hours": DEADLINE_HOURS}),
    ),
    params=PARAMS,
    tags=["segue", "model"],
    doc_md=__doc__,
)
def genre_model() -> None:
    """Wire the training."""
    budget = ["--trials", "{{ params.trials }}", "--minutes", "{{ params.minutes }}"]
    fits = ["--parallelism", "{{ params.parallelism }}"]
    train = SparkJobOperator(
        task_id="train",
        job="train_genre",
        arguments=[*budget, "--search", SEARCH, *fits, "--seed", "{{ params.seed }}"],
    )
    train >> training_summary("train_genre", "model `genre` in MLflow")


genre_model()
