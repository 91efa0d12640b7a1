"""The overview as one HTML page, with a sentence first that says how things are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from urllib.parse import quote

from segue.corpus import rejected
from segue.overview.corpus import Corpus, DayState
from segue.overview.dags import DagState, Schedule, Waiting
from segue.overview.listens import Listens
from segue.overview.models import Models
from segue.overview.state import Problem, State
from segue.overview.storage import Storage
from segue.overview.verdict import verdict
from segue.runs import history
from segue.runs.charts import Bar, Chart, Point, bars, calendar, columns, line
from segue.runs.html import Cell, Link, Section, Table, render
from segue.runs.html import State as Light

COLOURS = {
    DayState.PUBLISHED: "bar",
    DayState.WAITING: "warn",
    DayState.QUARANTINED: "bad",
    DayState.WITHOUT_TRACKS: "pale",
}
CALENDARS = 3
"""Largest number of years that are drawn."""

WEEKS = 53


class Shown(StrEnum):
    """Where the page is shown: in a tab of the browser, behind Airflow's navigation, or in a tab of a DAG's page.

    Airflow shows the last two in frames. The frame in a tab of a DAG blocks all links.
    """

    ALONE = ""
    IN_NAVIGATION = "navigation"
    IN_TAB = "tab"


@dataclass(frozen=True)
class Addresses:
    """Where the links of the page lead.

    Parameters
    ----------
    airflow : str
        Path before Airflow's own paths; empty if Airflow is at the root of its server.
    api : str
        Address of the listens API.
    shown : Shown
        Where the page is shown.
    connections : mapping of str to str
        Where Airflow's connections lead, by their names.
    """

    airflow: str
    api: str
    shown: Shown = Shown.ALONE
    connections: Mapping[str, str] = field(default_factory=dict)

    def link(self, text: str, address: str) -> Cell:
        """Link a page that may be shown in Airflow's frame, or return only the text."""
        return text if self.shown is Shown.IN_TAB else Link(text, address)

    def dag(self, dag_id: str) -> Cell:
        """Link a DAG. In a frame, the link would open Airflow inside Airflow."""
        address = f"{self.airflow}/dags/{quote(dag_id)}"
        return Link(dag_id, address) if self.shown is Shown.ALONE else dag_id

    def report(self, text: str, run_id: str) -> Cell:
        """Link the report of a run, which is named ``<dag_id>/<run_id>``."""
        dag_id, _, run = run_id.partition("/")
        return self.link(text, f"{self.airflow}/segue/reports/{quote(dag_id)}/{quote(run, safe='')}")


def page(state: State, schedule: Schedule, at: Addresses) -> str:
    """Render the overview.

    Parameters
    ----------
    state : State
    schedule : Schedule
    at : Addresses

    Returns
    -------
    str
        HTML.
    """
    sentence, tone = verdict(state, schedule)
    sections = [_dags(schedule, at)]
    if not isinstance(state.corpus, Problem):
        sections += [*_corpus(state.corpus, at)]
    if not isinstance(state.listens, Problem):
        sections += [*_listens(state.listens, schedule.waiting)]
    if not isinstance(state.models, Problem):
        sections += [*_models(state.models, at)]
    if not isinstance(state.storage, Problem):
        sections.append(_storage(state.storage))
    sections += [_connections(at), _elsewhere(at)]
    return render("Segue", sentence, sections, _facts(state), tone=tone)


def _facts(state: State) -> dict[str, Cell]:
    facts: dict[str, Cell] = {"As of": f"{state.at:%Y-%m-%d %H:%M:%S} UTC"}
    if not isinstance(state.corpus, Problem):
        size = f" ({_bytes(state.corpus.size_mb * 1e6)})" if state.corpus.size_mb else ""
        facts |= {"Tracks": state.corpus.tracks, "Files": f"{state.corpus.files:,}{size}"}
    if not isinstance(state.models, Problem) and state.models.champions:
        serving = sorted(state.models.champions.items())
        facts["Champions"] = ", ".join(f"{name}/{number}" for name, number in serving)
    if not isinstance(state.listens, Problem):
        facts["Listens in Kafka"] = state.listens.messages
        sample = state.listens.sample
        if sample.simulated:
            facts["Simulated"] = f"{_share(sample.simulated, sample.listens)} of the newest listens"
    return facts


def _dags(schedule: Schedule, at: Addresses) -> Section:
    rows = [_dag(dag, at) for dag in schedule.dags]
    headings = ["DAG", "Schedule", "Last run", "Ended (UTC)", "Took", "Next run (UTC)", "Report"]
    return Section("DAGs", "A paused DAG runs only when it is triggered.", Table(headings, rows))


def _dag(dag: DagState, at: Addresses) -> Sequence[Cell]:
    switch = Light("paused", "warn") if dag.paused else Light("on", "good")
    outcome: Cell = "none yet"
    if dag.run_id and dag.outcome:
        outcome = Light(dag.outcome, "good" if dag.outcome == "success" else "bad")
    report = at.report("report", f"{dag.dag_id}/{dag.run_id}") if dag.run_id else None
    upcoming = f"{dag.next_run:%Y-%m-%d %H:%M}" if dag.next_run and not dag.paused else None
    return [
        at.dag(dag.dag_id),
        switch,
        outcome,
        f"{dag.ended_at:%Y-%m-%d %H:%M}" if dag.ended_at else None,
        None if dag.seconds is None else _duration(dag.seconds),
        f"{dag.running:,} running now" if dag.running else upcoming,
        report,
    ]


def _corpus(corpus: Corpus, at: Addresses) -> list[Section]:
    counts = {state: len(corpus.in_state(state)) for state in DayState}
    said = ", ".join(f"{number:,} {state.value}" for state, number in counts.items() if number)
    text = f"{len(corpus.days):,} days have files: {said}." if corpus.days else "No file has been listed yet."
    sections = [Section("Corpus", text, figures=_calendars(corpus))]
    if corpus.rejected:
        rows: list[Sequence[Cell]] = [
            [at.link(reason, f"{at.airflow}/segue/rejects?reason={quote(reason)}"), files, rejected.remedy(reason)]
            for reason, files in corpus.rejected.items()
        ]
        text = "A reason leads to its files. `segue rejects` lists them, too."
        sections.append(Section("Rejected files", text, Table(["Reason", "Files", "What to do"], rows)))
    if corpus.quarantined:
        rows = [
            [
                _span(held.first, held.last),
                "; ".join(held.failed),
                f"{held.since:%Y-%m-%d %H:%M}",
                at.report("report", held.run_id),
            ]
            for held in sorted(corpus.quarantined, key=lambda held: held.first, reverse=True)
        ]
        text = "These days are not published. Correct files or metadata, then run the DAG corpus for them again."
        headings = ["Days", "Failed checks", "Since (UTC)", "Run"]
        sections.append(Section("Quarantine", text, Table(headings, rows)))
    return sections


def _calendars(corpus: Corpus) -> list[Chart]:
    tips = {
        day: (
            COLOURS[known.state],
            f"{day}: {known.files:,} files, {known.rejects:,} rejected, {known.state.value}",
        )
        for day, known in corpus.days.items()
    }
    drawn: list[Chart] = []
    left = sorted(tips)
    while left and len(drawn) < CALENDARS:
        last = left[-1]
        first = last - timedelta(days=last.weekday(), weeks=WEEKS - 1)
        alt = f"Days from {first} to {last}; the sentence above counts them by state."
        caption = f"{first:%B %Y} to {last:%B %Y}"
        if not drawn:
            caption += " · green: published · amber: not published yet · red: in quarantine · grey: no usable file"
        drawn.append(calendar(caption, tips, last, alt, WEEKS))
        left = [day for day in left if day < first]
    return drawn


def _listens(listens: Listens, waiting: Waiting | None) -> list[Section]:
    sample = listens.sample
    text = [_sample(listens)]
    if waiting:
        text.append(
            f"The incremental retraining has {listens.lags['incremental retraining']:,} of the "
            f"{waiting.min_events:,} new listens that it waits for. From {waiting.until:%Y-%m-%d %H:%M} UTC on, "
            "a single one suffices."
        )
    if listens.held:
        text.append(
            f"The lake holds {listens.held.listens:,} listens of {listens.held.listeners:,} listeners; "
            f"{_share(listens.held.matched, listens.held.listens)} match a track."
        )
    if listens.dead_letters:
        text.append(f"{listens.dead_letters:,} messages could not be read: see `segue dlq list`.")
    hours = {f"{start:%H}": float(number) for start, number in listens.by_hour.items()}
    figures = [columns("Listens that arrived, by hour (UTC)", hours, every=4)]
    if sample.unmatched:
        shown = [Bar(artist, float(number), f"{number:,}") for artist, number in sample.unmatched.items()]
        figures.append(bars("Artists with the most unmatched listens", shown))
    lags: list[Sequence[Cell]] = [[name, lag] for name, lag in listens.lags.items()]
    return [Section("Listens", "\n\n".join(text), Table(["Consumer", "Messages behind"], lags), figures)]


def _sample(listens: Listens) -> str:
    sample = listens.sample
    if not sample.listens:
        return "No listen has come yet. docs/players.md says how to connect a player."
    said = f"Of the newest {sample.listens:,} listens, {_share(sample.matched, sample.listens)} match a track"
    if sample.simulated:
        said += f" and {_share(sample.simulated, sample.listens)} are simulated"
    newest = f" The newest came at {sample.newest:%Y-%m-%d %H:%M:%S} UTC." if sample.newest else ""
    return f"{said}.{newest}"


def _models(models: Models, at: Addresses) -> list[Section]:
    charts = {
        "Genre model by version: macro F1 on its test tracks": models.genre,
        "Recommender by version, full trainings: NDCG@10 on new tracks": models.recommender,
        "Recommender by version, updates: NDCG@10 on unseen listens": models.updates,
    }
    figures = [history.chart(caption, trainings) for caption, trainings in charts.items() if trainings]
    rows: list[Sequence[Cell]] = [
        [dag_id, report.decision, report.model, report.reason] for dag_id, report in models.last.items()
    ]
    text = "No model has been trained yet. Run the DAGs genre_model and recommender."
    if figures or rows:
        text = (
            "A ring marks a version that became the champion. A model that was not stored has its day instead of "
            "a number. The band is the 95 % interval, where it was stored. "
            "Each training has test data of its own, so small differences between them mean little."
        )
    sections = [
        Section(
            "Models",
            text,
            Table(["Last run of", "Decision", "Champion", "Reason"], rows) if rows else None,
            figures,
        )
    ]
    if models.challenger or models.compared:
        now = "No challenger is compared now."
        if models.challenger:
            now = (
                f"The challenger {models.challenger} is compared with the champion. The DAG recommender evaluates "
                "the plays each night."
            )
        sections.append(Section("Online evaluation", f"{now} {models.compared or ''}".strip()))
    if (trainings := [*models.genre, *models.recommender]) and at.shown is not Shown.IN_TAB:
        newest = sorted(trainings, key=lambda training: training.at, reverse=True)[:5]
        cells = [
            [at.report(training.run_id, training.run_id), f"{training.at:%Y-%m-%d %H:%M}"] for training in newest
        ]
        sections.append(Section("Model reports", "The newest.", Table(["Run", "Trained (UTC)"], cells)))
    if models.drift:
        points = [Point(f"{when:%d.%m.}", distance) for _, when, distance, _ in models.drift]
        _, _, distance, descriptor = models.drift[-1]
        text = (
            "How far each good run of the corpus is from the one before, in the descriptor that moved most "
            f"(Kolmogorov-Smirnov distance, 0 to 1). In the newest run that is {descriptor} with {distance:.2f}."
        )
        sections.append(Section("Drift", text, figures=[line("Largest drift of a run", points)]))
    return sections


def _storage(storage: Storage) -> Section:
    shown = [Bar(name, float(size), _bytes(size)) for name, size in storage.parts.items() if size]
    text = f"{_bytes(storage.free_bytes)} are free on this disk."
    return Section("Storage", text, figures=[bars("Folders of the state folder", shown)] if shown else [])


def _connections(at: Addresses) -> Section:
    rows: list[Sequence[Cell]] = [[name, place] for name, place in at.connections.items()]
    text = (
        "Segue's tasks reach its services by these connections. They are derived from the settings, so Airflow's "
        "own list of connections does not have them."
    )
    return Section("Connections", text, Table(["Connection", "Leads to"], rows))


def _elsewhere(at: Addresses) -> Section:
    places = {
        "Pages of listeners": f"{at.api}/",
        "Listens API: what it can do": f"{at.api}/docs",
        "Health of the services": f"{at.api}/health",
        "Metrics for Prometheus": f"{at.api}/metrics",
    }
    rows: list[Sequence[Cell]] = [[name, at.link(address, address)] for name, address in places.items()]
    text = f"Each listener has a page: {at.api}/u/NAME. The tab Report of a run shows what the run has come to."
    return Section("Elsewhere", text, Table(["Page", "Address"], rows))


def _span(first: date, last: date) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}\N{NO-BREAK SPACE}%" if whole else "none"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _bytes(size: float) -> str:
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 else f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"
