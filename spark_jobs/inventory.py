"""Bring the inventory in step with the music folder and its metadata table."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime

from segue import spark, summaries
from segue.corpus import inventory, sources
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
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
        files = list_audio(settings.music_dir)
        source = sources.find(settings)
        print(f"music: {len(files):,} files in {settings.music_dir}; metadata: {source}", flush=True)
        table = source.read(today)
        lake = Lake(session, settings.lake_uri)
        summary = inventory.update(lake, files, table, arguments.night_of or today)
        late = inventory.late_days(lake, arguments.night_of) if arguments.night_of else []
        if arguments.night_of:
            lake.vacuum()
        where = {"music": str(settings.music_dir), "source": str(source)}
        summaries.report(arguments.run_id, "inventory", {**where, **summary, "late_days": list(map(str, late))})


if __name__ == "__main__":
    main()
