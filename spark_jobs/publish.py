"""Publish days of the integrated dataset to MongoDB, and announce on Kafka which of them have changed."""

from __future__ import annotations

from segue.connections import mongo, spark
from segue.corpus import days, publish
from segue.corpus.lake import Lake
from segue.corpus.reports import InventoryReport
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    arguments = days.parser(__doc__).parse_args()
    with spark.job("publish") as session, mongo.database() as database:
        settings = get_settings()
        chosen = days.chosen(arguments, summaries.find(arguments.run_id, InventoryReport))
        report = publish.run(Lake(session, settings.lake_uri), database, chosen, settings)
        summaries.finish(arguments.run_id, report)


if __name__ == "__main__":
    main()
