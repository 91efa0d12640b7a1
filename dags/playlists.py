"""Make the daily playlists of every listener.

**What.** *place_tracks* places the tracks of days that have changed in the space of sound. The DAG `corpus` does
this too, so there is usually nothing to do. *draw_map* draws the map of the library: new tracks are placed among
those that sound like them. *find_moods* finds the tracks of each mood. *make_playlists* replaces three playlists
of each listener: *daily jams* (half familiar, half new, ordered so that neighbours sound alike), *discoveries*
(never played) and *on repeat* (most played in the last 30 days). Each track has the reason why it is there.
docs/playlists.md has the rules. *write_to_subsonic* writes the playlists of one listener to a Subsonic server, if
one is configured.

**When.** After each nightly training of the DAG `recommender`, every day at 06:00 (UTC), and by hand. A run that
is repeated replaces the same playlists.

**Inputs.** The collections `tracks`, `listens`, `accounts` and `recommendations` in MongoDB; the champion. Without
a champion, only *on repeat* is made. `SEGUE_SUBSONIC_URL` and the settings beside it.

**Outputs.** The collections `sounds`, `sound_map`, `moods` and `playlists` in MongoDB; playlists on the Subsonic
server.

**When it fails.** The last line of the failed task's log says what and why. The playlists that were not replaced
yet stay as they were. Clear the task.

- *write_to_subsonic*: the server is away or refuses the password. No playlist of the server has changed, or only
  some of them have; the next run writes all of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, dag, task

import segue_assets
from segue.settings import get_settings
from segue_connections import mongo_database
from segue_days import by_the_clock
from segue_outcome import tell
from segue_tasks import DEFAULTS, PYTHON_TASK, RUN_ID, TIME_LIMIT, documented, refusals_fail_at_once

MANY_LISTENERS = timedelta(hours=6)
"""Ranking the catalogue twice for each of many thousand listeners takes a while."""


@dag(
    schedule=AssetOrTimeSchedule(assets=[segue_assets.FULL_TRAINING], timetable=by_the_clock("0 6 * * *")),
    catchup=False,
    max_active_runs=1,
    # A backfill would make the playlists of today for each day, so Airflow does not offer it.
    allowed_run_types=["scheduled", "manual", "asset_triggered"],  # type: ignore[list-item] # it converts them
    tags=["segue", "playlists"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def playlists() -> None:
    """Wire the tasks."""
    placed = place_tracks()
    placed >> make_playlists(RUN_ID) >> write_to_subsonic()
    placed >> draw_map()
    find_moods()


# In the pool of `publish`, which writes the same places.
@task(**PYTHON_TASK, execution_timeout=timedelta(hours=get_settings().spark_job_hours), pool="spark")
def place_tracks() -> None:
    """Place the tracks of days that have changed in the space of sound."""
    from segue.runs.progress import step, to_output
    from segue.tracks import sounds

    with refusals_fail_at_once(), mongo_database() as database, step("Place the tracks", say=to_output):
        placed = sounds.update(database, to_output)
    print(f"{placed:,} tracks were new or had changed.", flush=True)


# In the pool of the Spark jobs, because a first layout computes as long as some of them.
@task(**PYTHON_TASK, execution_timeout=timedelta(hours=get_settings().spark_job_hours), pool="spark")
def draw_map() -> None:
    """Draw the map of the library. A first map of 100,000 tracks takes some minutes."""
    from segue.runs.progress import step, to_output
    from segue.tracks import sound_map

    with refusals_fail_at_once(), mongo_database() as database, step("Draw the map", say=to_output):
        drawn = sound_map.update(database, to_output)
    print(f"{drawn:,} tracks are on the map.", flush=True)


@task(**PYTHON_TASK, execution_timeout=TIME_LIMIT)
def find_moods() -> None:
    """Find the tracks of each mood, by their musical descriptors."""
    from segue.runs.progress import step, to_output
    from segue.tracks import moods

    with refusals_fail_at_once(), mongo_database() as database, step("Find the moods", say=to_output):
        moods.update(database, to_output)


@task(**PYTHON_TASK, execution_timeout=MANY_LISTENERS, outlets=[segue_assets.PLAYLISTS])
def make_playlists(run: str, ti: Any = None) -> None:
    """Replace the playlists of every listener."""
    from segue.playlists import making
    from segue.runs import summaries

    settings = get_settings()
    with refusals_fail_at_once(), mongo_database() as database:
        report = making.run(settings, database)
        print(summaries.render(report.JOB, report), flush=True)
        summaries.keep(run, report, into=database)
    print(report.sentence(), flush=True)
    tell(ti, report.sentence())


@task(**PYTHON_TASK, execution_timeout=MANY_LISTENERS)
def write_to_subsonic() -> None:
    """Write the playlists of one listener to the Subsonic server, if one is configured."""
    from segue.playlists import subsonic

    settings = get_settings()
    if settings.subsonic_url is None:
        print("No Subsonic server is configured: SEGUE_SUBSONIC_URL is empty.", flush=True)
        return
    with refusals_fail_at_once(), mongo_database() as database:
        for line in subsonic.write_all(settings, database):
            print(line, flush=True)


playlists()
