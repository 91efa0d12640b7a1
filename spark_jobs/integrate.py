"""Merge features, metadata and tags of some days into the integrated dataset, and clean it."""

from __future__ import annotations

from datetime import UTC, datetime

from segue.connections import spark
from segue.corpus import days, extraction, integrate, sources
from segue.corpus.lake import Lake
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    arguments = days.parser(__doc__).parse_args()
    with spark.job("integrate") as session:
        settings = get_settings()
        table = sources.find(settings).read(datetime.now(UTC).date())
        jobs = summaries.read(arguments.run_id)
        chosen, lake = days.chosen(arguments, jobs), Lake(session, settings.lake_uri)
        if "extract" in jobs:
            later = extraction.catch_up(lake, settings.music_dir, chosen, jobs["extract"])
            if later:
                summaries.report(arguments.run_id, "extract", later)
        summary = integrate.run(lake, table, chosen)
        summaries.report(arguments.run_id, "integrate", summary)


if __name__ == "__main__":
    main()
