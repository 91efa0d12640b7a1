"""What the training DAGs share: their last task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from segue_mongo import mongo_database


@task(task_id="summary")
def training_summary(job: str, results: str, dag_run: Any) -> None:
    """Print what came of a training, keep it, and fail if there is nothing to tell.

    Where retention had deleted events before they were used it ends as *skipped*: the rest was used and nothing
    can be done, so the run has not failed; but it does not look like one in which all was well. So it does where
    the corpus has nothing to learn from.

    Parameters
    ----------
    job : str
        The Spark job whose summary this is.
    results : str
        Where the results are.
    """
    from segue.runs import summaries

    run_id, database = f"{dag_run.dag_id}/{dag_run.run_id}", mongo_database()
    done = summaries.read(run_id, source=database).get(job)
    if done is None:
        raise AirflowFailException(
            f"The job {job!r} left no summary of this run: clear it, so that it runs again."
        )
    seconds = (datetime.now(UTC) - dag_run.start_date).total_seconds()
    total = done | {"results": results, "seconds": seconds}
    print(summaries.render(dag_run.dag_id, total))
    summaries.write(run_id, "summary", total, into=database)
    if total.get("decision") == "skipped":
        raise AirflowSkipException(f"Nothing was trained. {total['reason']}")
    if lost := total.get("lost_by_retention"):
        raise AirflowSkipException(
            f"Retention had deleted {lost:,} events before this run could use them. What was left of them was "
            "used: see above. Let the topic keep its messages for longer, or run the DAG more often."
        )
