"""Publish the integrated dataset of some days to MongoDB; the genre champion names what has no genre."""

from __future__ import annotations

from segue import spark, summaries
from segue.corpus import days, publish
from segue.corpus.lake import Lake
from segue.models.genre import labels
from segue.models.registry import Registry
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    arguments = days.parser(__doc__).parse_args()
    with spark.job("publish") as session, summaries.database() as database:
        settings = get_settings()
        lake = Lake(session, settings.lake_uri)
        chosen = days.chosen(arguments, summaries.read(arguments.run_id))
        summary = publish.run(lake, database, chosen)
        summary |= labels.label(session, database, Registry(settings))
        summaries.report(arguments.run_id, "publish", summary)


if __name__ == "__main__":
    main()
