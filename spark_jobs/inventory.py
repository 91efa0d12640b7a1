"""Bring the inventory in step with the music folder and its metadata table."""

from __future__ import annotations

import argparse
from datetime import date

from segue.connections import spark
from segue.corpus import inventory
from segue.corpus.lake import Lake
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> under which the report is kept")
    parser.add_argument("--night-of", type=date.fromisoformat, help="the nightly run's day: new files enter on it")
    arguments = parser.parse_args()
    with spark.job("inventory") as session:
        settings = get_settings()
        lake = Lake(session, settings.lake_uri)
        summaries.finish(arguments.run_id, inventory.run(lake, settings, arguments.night_of))


if __name__ == "__main__":
    main()
