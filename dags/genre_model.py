"""Learn the genre of a track from its audio features.

**What.** Spark reads the published tracks from MongoDB. A search chooses classifier, features and parameters by
the macro F1 on the validation part. The winner is fitted again and evaluated once on the test part. There it is
compared with the champion, with MLlib's default, with scikit-learn's random forest and with guessing. It becomes
the `champion` only if it is significantly better than the present champion (bootstrap over artists, 95 %). Then
the champion predicts the genre of tracks that have none. Each artist is in only one of train, validation and test.
Genres with too few artists are the exception: they are split by track, and the summary names them. docs/models.md
has the details.

**When.** Every night at 02:00 (UTC), unless `SEGUE_GENRE_MODEL_SCHEDULE` says otherwise, and by hand. On Sundays
the search is wide; on other nights it starts from the best choices of earlier trainings. A run that has not
succeeded three hours after it was queued has missed its deadline, and an alert says so.

**Inputs.** The collection `tracks` in MongoDB, which the DAG `corpus` fills. Tracks without a genre, and genres of
fewer than ten tracks, are left out and counted.

**Outputs.** A version of the model `genre` in MLflow: the model in Spark's format, parameters, metrics by genre
and slice, confusion matrix (`report.json`). In `tracks`: `genre_predicted`, `genre_probability`, `genre_model`.

**When it fails.** The last line of the failed task's log says what and why. The old champion keeps serving.

- *summary* is skipped: the corpus has nothing to learn from, such as no genre or only one. Its log says which.
  Nothing needs to be done. To get a genre model, tag the files or name genres in the metadata table, and run
  `corpus`.
- *train*: a retry keeps the trials that have ended. If the task fails, clear it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import (  # type: ignore[attr-defined] # its stub lacks the deadlines
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
    dag,
)

import segue_assets
from segue.settings import get_settings
from segue_days import by_the_clock
from segue_deadlines import note_missed_deadline
from segue_params import refuse_wrong_params
from segue_spark import SparkJobOperator
from segue_tasks import DEFAULTS, RUN_ID, STARTED, documented, training_summary

PARAMS = {
    "trials": Param(
        20,
        type="integer",
        minimum=1,
        maximum=1000,
        title="Trials",
        description="Largest number of choices of classifier, features and parameters that are tried.",
    ),
    "minutes": Param(
        12,
        type="number",
        minimum=0,
        title="Minutes",
        description="No new trial starts after this time. 0: one trial. The final fit, the comparison and the "
        "report take about 5 minutes more with 100,000 tracks on two cores.",
    ),
    "search": Param(
        "by day",
        type="string",
        enum=["by day", "warm", "wide"],
        title="Search",
        description="warm: start from the best choice before. wide: start anew, with slow classifiers too. "
        "by day: wide on Sundays, warm on other days.",
    ),
    "parallelism": Param(
        0,
        type="integer",
        minimum=0,
        title="Parallelism",
        description="Number of folds of a trial that are fitted at the same time, at most two. 0: as many as the "
        "cores allow. With 10,000 training tracks or more there are no folds, and this has no effect.",
    ),
    "seed": Param(
        0,
        type="integer",
        minimum=0,
        title="Seed",
        description="Seed of the search, of trees and of initial weights. The same tracks and seed give the same "
        "model.",
    ),
}
DEADLINE_HOURS = 3
"""The recommender's training at 03:00 waits until this one frees the pool's slot. It should start by 05:00."""

SEARCH = (
    "{{ params.search if params.search != 'by day' else "
    "'wide' if dag_run.run_after.isoweekday() == 7 else 'warm' }}"
)

settings = get_settings()


@dag(
    schedule=by_the_clock(settings.genre_model_schedule, settings.timezone),
    catchup=False,
    max_active_runs=1,
    # A backfill would train the same model for each day, so Airflow does not offer it.
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item] # it converts them
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=DEADLINE_HOURS),
        callback=AsyncCallback(note_missed_deadline, kwargs={"hours": DEADLINE_HOURS}),
    ),
    params=PARAMS,
    tags=["segue", "model"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def genre_model() -> None:
    """Wire the training."""
    budget = ["--trials", "{{ params.trials }}", "--minutes", "{{ params.minutes }}"]
    fits = ["--parallelism", "{{ params.parallelism }}"]
    train = SparkJobOperator(
        task_id="train",
        job="train_genre",
        arguments=[*budget, "--search", SEARCH, *fits, "--seed", "{{ params.seed }}"],
        pre_execute=refuse_wrong_params,
        inlets=[segue_assets.TRACKS],
        outlets=[segue_assets.GENRE],
    )
    train >> training_summary(RUN_ID, STARTED, "train_genre", "model `genre` in MLflow")


genre_model()
