"""Show the results of the demo as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.table import Table
from rich.text import Text

from segue.api.accounts import Accounts
from segue.api.sessions import page_address
from segue.connections import mongo
from segue.corpus.reports import CorpusSummary
from segue.demo.run import ANSWER, CORPUS, RECOMMENDER, RETRAINING, Outcome
from segue.genres.reports import GenreReport
from segue.listens.events import SIMULATED_NAMES
from segue.recommender.reports import FullTrainingReport, IncrementalUpdateReport
from segue.runs import summaries
from segue.runs.conclusion import TrainingReport
from segue.stack import airflow

if TYPE_CHECKING:
    from pymongo.database import Database

    from segue.console import PlainConsole
    from segue.settings import Settings

SHOWN = 5  # recommendations

REPORTS: dict[str, type[TrainingReport]] = {
    "genre_model": GenreReport,
    RECOMMENDER: FullTrainingReport,
    RETRAINING: IncrementalUpdateReport,
}
"""What each training of the demo reports, by DAG."""


def show(settings: Settings, outcome: Outcome, console: PlainConsole) -> None:
    """Print the results of a demo.

    Parameters
    ----------
    settings : Settings
        Settings of the stack that ran the demo.
    outcome : Outcome
        Result of `segue.demo.run.run`.
    console : segue.console.PlainConsole
        Console to print to.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB, which has the results, does not answer.
    """
    with mongo.database() as database:
        corpus = summaries.require(f"{CORPUS}/{outcome.runs[CORPUS]}", CorpusSummary, source=database)
        done = {
            dag_id: summaries.find(f"{dag_id}/{outcome.runs[dag_id]}", kind, source=database)
            for dag_id, kind in REPORTS.items()
            if dag_id in outcome.runs
        }
        listener = database["recommendations"].find_one({}, sort=[("_id", 1)])
        page = _page_of(database, settings, listener["_id"]) if listener else None
    table = Table(
        title=f"{settings.corpus}: from music to recommendations", show_header=False, title_justify="left"
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    _corpus_rows(table, corpus)
    for dag_id in (each for each in REPORTS if each in outcome.runs or each in outcome.failures):
        table.add_section()
        if dag_id in outcome.failures:
            table.add_row(dag_id, Text("failed, see above", style="red"))
        else:
            _model_rows(table, dag_id, done.get(dag_id))
    table.add_section()
    if outcome.answered_s is not None:
        table.add_row("Live", f"new recommendations {outcome.answered_s:.1f} s after a listen")
    elif ANSWER in outcome.failures:
        table.add_row("Live", Text("no new recommendations, see above", style="red"))
    if listener:
        table.add_row("Recommended", f"to {listener['_id']}, by {listener['model_version']}")
        for item in listener["items"][:SHOWN]:
            table.add_row("", f"{item['rank']}. {item['title']} — {item['artist']}")
        table.add_row("Page", f"{page}\n(the link signs in once, within 10 minutes)")
    table.add_section()
    _place_rows(table, settings, outcome.login)
    console.print(table)
    console.print("All DAGs are on: they run by their schedules from now on. Airflow's UI pauses them.")
    stays = "" if outcome.login else " The stack stays up: `make status` shows it, `make down` ends it."
    console.print(f"Done in {outcome.seconds:.0f} s.{stays}")


def _page_of(database: Database[dict[str, Any]], settings: Settings, listener: str) -> str:
    """Return a link to the page of a listener. Simulated ones get an account for it."""
    if listener.startswith(SIMULATED_NAMES):
        Accounts(database).add_simulated(listener)
    return page_address(database, settings, listener)


def _corpus_rows(table: Table, summary: CorpusSummary) -> None:
    rejected = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.items()) or "none"
    partitions = f"{summary.partitions} partition{'s' if summary.partitions != 1 else ''}"
    table.add_row("Files in", f"{summary.files_in:,} in {partitions}")
    table.add_row("Tracks with features", f"{summary.tracks_out:,}; this run decoded {summary.extracted:,} files")
    table.add_row("Rejected", rejected)
    table.add_row("Flagged", f"{summary.duplicates} duplicates, {summary.outliers} outliers")
    if summary.extracted:
        table.add_row("Tracks per second", f"{summary.tracks_per_s:.1f}")


def _model_rows(table: Table, dag_id: str, report: TrainingReport | None) -> None:
    if report is None:
        table.add_row(dag_id, "left no report")
        return
    model = f" {report.model}" if report.model else ""
    table.add_row(dag_id, f"{report.decision}{model}: {report.reason}")
    if isinstance(report, GenreReport) and report.trained:
        names = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
        test = report.trained.test
        table.add_row("", ", ".join(f"{name.replace('_', ' ')} {test[name]:.3f}" for name in names))


def _place_rows(table: Table, settings: Settings, elsewhere: airflow.Login | None) -> None:
    # Not the whole connection string: it may hold a password, and its options fill three lines.
    servers = urlsplit(settings.mongo).netloc.rpartition("@")[2]
    places: dict[str, Any] = {
        "Music": settings.music_dir,
        "Lake (Delta)": settings.lake_uri,
        "MongoDB": f"{servers} database {settings.mongo_database}",
        "Kafka": f"{settings.kafka_bootstrap} topic {settings.listens_topic}",
    }
    if elsewhere:
        places["Airflow"] = f"{elsewhere.url} login {elsewhere.username}"
    else:
        login = airflow.login(settings)
        places["Logs"] = settings.state_dir / "logs"
        places["Airflow"] = f"{login.url} login {login.username} / {login.password}"
    for name, place in places.items():
        table.add_row(name, str(place))
