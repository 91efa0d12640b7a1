from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from tests.support.overview_state import corpus, listens, models, schedule, state

from segue.overview import listens as listens_module
from segue.overview.dags import DAGS
from segue.overview.listens import Sample
from segue.overview.page import Addresses, Shown, page
from segue.overview.state import Problem
from segue.settings import PROJECT_DIR

AT = Addresses("/air", "http://music:18100", connections={"kafka_default": "broker:9092"})
NASTY = "<script>alert(1)</script>"


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def html():
    return page(state(), schedule(), AT)


def test_everything_has_its_section(html):
    for title in (
        *("DAGs", "Corpus", "Rejected files", "Quarantine", "Listens", "Models", "Drift", "Storage"),
        *("Connections", "Elsewhere"),
    ):
        assert f"<h2>{title}</h2>" in html, title
    for said in (
        "106,402",
        "share of files rejected: 0.775",
        "The incremental retraining has 112 of the 250 new listens that it waits for. From 2026-11-28 14:26",
        "87\N{NO-BREAK SPACE}% match a track and 6\N{NO-BREAK SPACE}% are simulated",
        "genre/6, recommender/41",
        "812 GB are free",
    ):
        assert said in html, said


def test_every_chart_is_described_and_nothing_is_loaded(html):
    elements = Elements(html)
    charts = elements.all("svg")
    assert len(charts) == 9
    assert all(len(chart["aria-label"]) > 20 for chart in charts)
    assert not any(elements.all(tag) for tag in ("script", "link", "iframe", "img"))


def test_links_keep_to_airflows_base_path(html):
    links = {attributes["href"] for attributes in Elements(html).all("a")}
    assert {
        "/air/dags/corpus",
        "/air/segue/rejects?reason=TRUNCATED",
        "/air/segue/reports/corpus/scheduled__2026-11-03",
        "http://music:18100/docs",
        "http://music:18100/",
        "/air/segue/reports/genre_model/scheduled__1",
    } <= links


def rows_of(html, title):
    """Yield the words of each row in the table of a section."""
    section = html.split(f"<h2>{title}</h2>")[1].split("</section>")[0]
    for row in section.split("<tbody>")[1].split("<tr>")[1:]:
        yield " ".join(re.sub("<[^>]+>", " ", row).split())


def test_each_dag_is_shown_with_its_switch_its_last_run_and_its_next():
    changes = {
        "corpus": {"outcome": "failed"},
        "listens": {"paused": True},
        "watch": {"run_id": None, "outcome": None, "ended_at": None, "seconds": None},
    }
    shown = {row.split()[0]: row for row in rows_of(page(state(), schedule(**changes), AT), "DAGs")}
    assert shown["corpus"] == "corpus on failed 2026-11-28 00:05 40 s 2026-11-29 00:00 report"
    assert shown["listens"].startswith("listens paused success")
    assert "2026-11-29" not in shown["listens"], "a paused DAG has no next run"
    assert shown["watch"] == "watch on none yet — — 2026-11-29 00:00 —"
    assert shown["incremental_retraining"].endswith("1 running now report")


def test_versions_are_drawn_with_their_champions_and_intervals(html):
    charts = {chart["aria-label"].partition(":")[0]: chart["aria-label"] for chart in Elements(html).all("svg")}
    by_version = charts["Genre model by version"]
    assert "35 0.410 (marked)" in by_version
    assert "0.420 (marked)" not in by_version, "the one that was not promoted"
    drawn = html.split('aria-label="Genre model by version')[1].split("</svg>")[0]
    assert ("<polygon" in drawn, drawn.count('class="ring"')) == (True, 5)


def test_a_comparison_is_shown_while_it_goes_on_and_when_it_has_ended():
    now = page(state(models=models(challenger="recommender/9")), schedule(), AT)
    assert "The challenger recommender/9 is compared with the champion." in now
    ended = page(state(models=models(compared="2026-11-30 03:00 UTC: It becomes the champion.")), schedule(), AT)
    assert "No challenger is compared now. 2026-11-30 03:00 UTC: It becomes the champion." in ended
    assert "<h2>Online evaluation</h2>" not in page(state(), schedule(), AT)


def test_each_consumer_has_its_lag_and_each_connection_its_place(html):
    assert "incremental retraining 112" in list(rows_of(html, "Listens"))
    assert list(rows_of(html, "Connections")) == ["kafka_default broker:9092"]


def test_in_a_frame_that_blocks_links_there_are_none():
    framed = page(state(), schedule(), Addresses("", "http://music:18100", Shown.IN_TAB))
    assert {attributes["href"][0] for attributes in Elements(framed).all("a")} == {"#"}


def test_behind_the_navigation_only_pages_are_linked_that_fit_a_frame():
    framed = page(state(), schedule(), Addresses("", "http://music:18100", Shown.IN_NAVIGATION))
    links = {attributes["href"] for attributes in Elements(framed).all("a")}
    assert "/segue/rejects?reason=TRUNCATED" in links
    assert not [link for link in links if link.startswith("/dags")]


def test_names_are_escaped():
    strange = Sample(3, 0, 0, {NASTY: 3}, None)
    shown = page(state(listens=listens(sample=strange)), schedule(), AT)
    assert NASTY not in shown
    assert "&lt;script&gt;" in shown


def test_what_cannot_be_read_is_missing_and_the_rest_is_shown():
    shown = page(state(models=Problem("MLflow's server does not answer.")), schedule(), AT)
    assert "Models: MLflow&#39;s server does not answer." in shown
    assert "<h2>Models</h2>" not in shown
    assert "<h2>Corpus</h2>" in shown


def test_before_the_first_run_the_page_says_what_to_do():
    empty = state(
        corpus=corpus(tracks=0, files=0, rejected={}, days={}, quarantined=[], size_mb=None),
        models=models(champions={}, genre=[], recommender=[], updates=[], last={}, drift=[]),
        listens=listens(by_hour={}, messages=0, sample=Sample(0, 0, 0, {}, None)),
    )
    fresh = {dag_id: {"run_id": None, "outcome": None, "ended_at": None, "seconds": None} for dag_id in DAGS}
    shown = page(empty, schedule(**fresh), AT)
    for said in ("run the DAG corpus", "No listen has come yet", "No model has been trained yet", "none yet"):
        assert said in shown


def test_all_dags_of_the_project_are_shown():
    assert sorted(DAGS) == sorted(file.stem for file in (PROJECT_DIR / "dags").glob("*.py"))


def test_shares_of_the_newest_listens_are_counted():
    events = [
        {"track_id": "1", "source": "simulated", "received_at": 5.0},
        {"artist_name": "Björk", "received_at": 9.5},
        {"artist_name": "Björk"},
        {},
    ]
    found = listens_module.summary(events)
    assert (found.listens, found.matched, found.simulated) == (4, 1, 1)
    assert found.unmatched == {"Björk": 2, "(no name)": 1}
    assert found.newest.timestamp() == 9.5
