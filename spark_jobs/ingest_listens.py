"""Bring the lake's listens in step with Kafka, with what users have taken back, and with the catalogue."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime

from segue.connections import leases, mongo, spark
from segue.listens import catalogue
from segue.listens.comparing import compare
from segue.listens.events import Listen
from segue.listens.ingestion import figures, ingest
from segue.listens.lake_table import ListensTable
from segue.listens.losses import Followed
from segue.listens.matching import TrackIndex
from segue.listens.rematching import rematch
from segue.listens.removals import Removals
from segue.listens.reports import ListensReport, Rematched
from segue.listens.store import ListenStore
from segue.runs import summaries
from segue.runs.progress import spark_tasks, step
from segue.settings import get_settings


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True, help="<dag_id>/<run_id> under which the report is kept")
    parser.add_argument(
        "--mode", choices=["new", "rebuild"], default="new", help="take what is new, or rebuild days"
    )
    parser.add_argument(
        "--from", dest="first", type=date.fromisoformat, help="first day of the rebuild and of the figures"
    )
    parser.add_argument("--to", dest="last", type=date.fromisoformat, help="last day of them")
    arguments = parser.parse_args()
    began, started, settings = time.time(), time.monotonic(), get_settings()
    rebuild = (arguments.first, arguments.last) if arguments.mode == "rebuild" else None
    with (
        spark.job("ingest-listens") as session,
        mongo.database() as database,
        leases.of_lake(settings, "listens", "ingest-listens"),
    ):
        table = ListensTable(session, settings.lake_uri)
        removals, store = Removals(database), ListenStore(database)
        removed = session.createDataFrame(list(removals.all().items()), "key string, removed_at double")
        tasks = spark_tasks(session)
        with step("Read from Kafka", tasks):
            ingested = ingest(session, settings, removed, rebuild=rebuild)
        taken_back, rematched, held = 0, Rematched(), None
        if table.exists():
            with step("Remove what was taken back", tasks):
                taken_back = table.remove(removed)

            def take(events: Sequence[Listen]) -> None:
                removals.store(events, store.replace, store.discard)

            with step("Match with the corpus of today", tasks):
                rematched = rematch(table, TrackIndex(catalogue.entries(database)), take)
            with step("Count", tasks):
                held = figures(table, arguments.first, arguments.last)
            with step("Compare with MongoDB", tasks):
                if rebuild is not None:
                    Followed(database, settings.listens_topic).repaired("lake")
                today = datetime.now(UTC).date()
                print(compare(settings, database, table, before=began, day=today), flush=True)
            with step("Delete what no version needs", tasks):
                table.vacuum()
        report = ListensReport(
            ingested=ingested,
            taken_back=taken_back,
            rematched=rematched,
            held=held,
            seconds=time.monotonic() - started,
        )
        summaries.finish(arguments.run_id, report)


if __name__ == "__main__":
    main()
