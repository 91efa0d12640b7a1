"""Publish days of the integrated dataset to MongoDB, label tracks without genre, and tell what has changed."""

from __future__ import annotations

from segue.connections import mongo, spark
from segue.corpus import announced, days, publish
from segue.corpus.announcement import announce
from segue.corpus.lake import Lake
from segue.genres import predictions
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    arguments = days.parser(__doc__).parse_args()
    with spark.job("publish") as session, mongo.database() as database:
        settings = get_settings()
        lake = Lake(session, settings.lake_uri)
        chosen = days.chosen(arguments, summaries.read(arguments.run_id))
        summary = publish.run(lake, database, chosen, settings)
        summary |= predictions.predict_if_registry_available(session, database, settings)
        changes = announced.changes(lake, database, chosen)
        announce(settings, {change.day: change.tracks for change in changes})
        announced.note(database, changes)
        summaries.report(arguments.run_id, "publish", summary | {"days_announced": len(changes)})


if __name__ == "__main__":
    main()
