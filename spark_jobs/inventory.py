"""Bring the inventory in step with the music folder and its metadata table."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime

from segue.connections import spark
from segue.corpus import inventory, sources
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
from segue.runs import summaries
from segue.runs.progress import Tally, spark_tasks, step
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="key under which the summary is stored")
    parser.add_argument("--night-of", type=date.fromisoformat, help="the nightly run's day: new files enter on it")
    arguments = parser.parse_args()
    today = datetime.now(UTC).date()
    with spark.job("inventory") as session:
        settings = get_settings()
        found, tasks = Tally("files"), spark_tasks(session)
        with step("List the music", found):
            files = list_audio(settings.music_dir, found.through)
        source = sources.find(settings)
        print(f"music: {len(files):,} files in {settings.music_dir}; metadata: {source}", flush=True)
        table = source.read(today)
        lake = Lake(session, settings.lake_uri)
        with step("Compare with the inventory", tasks):
            summary = inventory.update(lake, files, table, arguments.night_of or today)
        late = []
        if arguments.night_of:
            with step("Find late days", tasks):
                late = inventory.late_days(lake, arguments.night_of)
            with step("Delete what no version needs", tasks):
                lake.vacuum()
        where = {"music": str(settings.music_dir), "source": str(source)}
        summaries.report(arguments.run_id, "inventory", {**where, **summary, "late_days": list(map(str, late))})


if __name__ == "__main__":
    main()
