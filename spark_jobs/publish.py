"""Publish the integrated dataset of some days to MongoDB."""

from __future__ import annotations

from segue import spark, summaries
from segue.corpus import days, publish
from segue.corpus.lake import Lake
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    arguments = days.parser(__doc__).parse_args()
    with spark.job("publish") as session, summaries.database() as database:
        lake = Lake(session, get_settings().lake_uri)
        chosen = days.chosen(arguments, summaries.read(arguments.run_id))
        summary = publish.run(lake, database, chosen)
        summaries.report(arguments.run_id, "publish", summary)


if __name__ == "__main__":
    main()
