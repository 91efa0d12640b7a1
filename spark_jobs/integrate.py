"""Merge features, metadata and tags of some days into the integrated dataset, and clean it."""

from __future__ import annotations

from datetime import UTC, datetime

from segue.connections import spark
from segue.corpus import days, extraction, integrate, sources
from segue.corpus.lake import Lake
from segue.corpus.reports import ExtractReport, InventoryReport
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    arguments = days.parser(__doc__).parse_args()
    with spark.job("integrate") as session:
        settings, run_id = get_settings(), arguments.run_id
        metadata = sources.find(settings).read(datetime.now(UTC).date())
        lake = Lake(session, settings.lake_uri)
        chosen = days.chosen(arguments, summaries.find(run_id, InventoryReport))
        if extracted := summaries.find(run_id, ExtractReport):
            caught_up = extraction.catch_up(lake, settings.music_dir, chosen, extracted)
            if caught_up:
                summaries.finish(run_id, caught_up)
        summaries.finish(run_id, integrate.run(lake, metadata, chosen))


if __name__ == "__main__":
    main()
