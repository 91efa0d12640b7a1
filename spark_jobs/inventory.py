"""Bring the inventory in step with the music folder and its metadata table."""

from __future__ import annotations

from datetime import date

from segue.connections import leases, spark
from segue.corpus import ahead, days, done_ahead, inventory
from segue.corpus.jobs import Run
from segue.corpus.lake import Lake
from segue.runs import summaries
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    parser = days.parser(__doc__)
    parser.add_argument("--night-of", type=date.fromisoformat, help="the nightly run's day: new files enter on it")
    parser.add_argument(
        "--go-on",
        metavar="FILES",
        type=int,
        help="if at most so many files of these days are to be extracted, do the jobs after this one, too",
    )
    arguments = parser.parse_args()
    settings = get_settings()
    with spark.job("inventory") as session, leases.of_lake(settings, "corpus", "inventory"):
        lake = Lake(session, settings.lake_uri)
        done_ahead.forget(arguments.run_id)
        report = inventory.run(lake, settings, arguments.night_of)
        summaries.finish(arguments.run_id, report)
        if arguments.go_on is not None:
            ahead.go_on(Run(arguments.run_id, lake, settings, days.chosen(arguments, report)), arguments.go_on)


if __name__ == "__main__":
    main()
