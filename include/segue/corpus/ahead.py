"""Go on with the jobs after `inventory` in its Spark application, if there is little to do.

Starting a Spark application takes longer than the work of a usual night. So `inventory` goes on with `extract`,
`integrate` and `publish`, and notes which of them it has done. The task of such a job then takes over the report
instead of starting an application: see `segue.corpus.done_ahead`. A job that was not done, or whose task is
cleared, runs as an application of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from segue.connections import mongo
from segue.corpus import extraction, steps
from segue.corpus.jobs import Run
from segue.corpus.plan import Mode
from segue.corpus.reports import AheadReport
from segue.runs import summaries


def go_on(run: Run, most: int) -> None:
    """Do the jobs that follow `inventory`, and note which are done.

    An error ends this and is printed, but not raised: the task of the job does it again, and fails by itself.

    Parameters
    ----------
    run : Run
    most : int
        If more files are to be extracted, nothing is done.
    """
    planned = extraction.plan_days(run.lake, run.days, Mode.SKIP)
    if len(planned.todo) > most:
        print(f"More than {most:,} files are to be extracted, so each job is a Spark application.", flush=True)
        return
    print("This is little, so this Spark application goes on with extract, integrate and publish.", flush=True)
    following: dict[str, Callable[[], None]] = {
        "extract": lambda: _extract(run, planned),
        "integrate": run.integrate,
        "publish": lambda: _publish(run),
    }
    done: list[str] = []
    for job, do in following.items():
        try:
            do()
        except Exception as error:  # noqa: BLE001 - of whatever kind: the task does the job again, and explains it
            print(
                f"{job} was not done here: the next tasks go on from it. {type(error).__name__}: {error}",
                flush=True,
            )
            break
        done.append(job)
    summaries.finish(run.run_id, AheadReport(jobs=tuple(done)))


def _extract(run: Run, planned: extraction.Planned) -> None:
    summaries.finish(run.run_id, extraction.carry_out(run.lake, run.settings.music_dir, planned))


def _publish(run: Run) -> None:
    """Publish if the quality gate lets these days pass. Its task judges them again."""
    with mongo.database() as database:
        steps.check_quality(database, run.run_id, run.settings)
    run.publish()
