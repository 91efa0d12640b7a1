from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from segue.runs import reports
from segue.runs.html import Link, Picture, Section, State, Table, render

NASTY = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Collects the elements of a page with their attributes, and the text of those that are wanted."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in {"meta", "img"}:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def figure():
    drawn = Figure(figsize=(1, 1))
    drawn.subplots().bar(["a", "b"], [1, 2])
    return drawn


@pytest.fixture
def html():
    table = Table(["Genre", "F1"], [["Jazz", 0.5], [NASTY, 0.71234], ["Polka", None]], best={"F1": "highest"})
    pictures = [Picture(figure(), f"Genre {NASTY} is best"), Picture(figure(), "Jazz second")]
    sections = [Section("By genre", f"About {NASTY}.\n\nMore.", table, pictures), Section(NASTY, "Nothing else.")]
    return render(f"Genre {NASTY}", f"Kept: {NASTY}", sections, {"Tracks": 1240, NASTY: NASTY})


def test_names_from_the_corpus_are_shown_and_never_executed(html):
    page = Page(html)
    assert page.all("script") == []
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    for tag in ("title", "h1", "p", "dt", "dd", "h2", "th"):
        assert any(NASTY in text for text in page.texts[tag]), tag
    assert NASTY in page.all("img")[0]["alt"]


def test_the_page_needs_nothing_but_itself(html):
    page = Page(html)
    assert "http:" not in html
    assert "https:" not in html
    assert not {"link", "script", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    assert not re.search(r"url\(|@import", html)


def test_every_section_is_linked_from_the_top(html):
    page = Page(html)
    targets = [f"#{section['id']}" for section in page.all("section")]
    assert [link["href"] for link in page.all("a")] == targets
    assert len(set(targets)) == 2
    assert page.texts["a"] == ["By genre", NASTY]


def test_links_are_shown_in_full_and_open_in_place():
    address = "http://127.0.0.1:18080/dags/genre_model/runs/manual__2026-11-25T02%3A00"
    html = render("Genre", "Kept.", [], {}, {"In Airflow": address})
    [link] = Page(html).all("a")
    assert link["href"] == address
    assert "target" not in link, "the frame that Airflow shows reports in opens no windows"
    assert Page(html).texts["a"] == [address]


def test_a_link_that_is_no_web_address_is_refused():
    with pytest.raises(ValueError, match="must begin with http"):
        render("Genre", "Kept.", [], {}, {"Run": "javascript:alert(1)"})


def test_a_training_links_its_run_where_airflow_tells_its_address(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://music.example/airflow/")
    assert reports.links("genre_model/manual__2026-11-25T02:00:00+00:00") == {
        "In Airflow": "https://music.example/airflow/dags/genre_model/runs/manual__2026-11-25T02%3A00%3A00%2B00%3A00"
    }
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    assert reports.links("genre_model/run") == {}


def test_its_own_policy_forbids_scripts_and_outside_loads(html):
    policy = {"http-equiv": "Content-Security-Policy"}
    [found] = [meta for meta in Page(html).all("meta") if policy.items() <= meta.items()]
    assert found["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_figure_is_a_png_in_the_page_and_has_alt_text(html):
    images = Page(html).all("img")
    assert [image["alt"] for image in images] == [f"Genre {NASTY} is best", "Jazz second"]
    for image in images:
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        assert png.startswith(b"\x89PNG")
        assert b"http" not in png


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_figure_without_alt_text_is_refused(alt):
    with pytest.raises(ValueError, match="alt text"):
        Picture(figure(), alt)


def test_the_verdict_comes_before_everything_else(html):
    assert html.index('class="verdict"') < min(html.index(f"<{tag}") for tag in ("dl", "h2", "table", "img"))


@pytest.mark.parametrize(("which", "marked"), [("highest", ["0.900", "0.900"]), ("lowest", ["−0.100"])])
def test_the_best_value_of_a_column_is_marked_with_its_ties(which, marked):
    table = Table(["Model", "Score", "Other"], [["a", 0.9, 1], ["b", -0.1, 2], ["c", 0.9, 3], ["d", None, 4]])
    table = Table(table.headings, table.rows, best={"Score": which})
    page = Page(render("t", "v", [Section("s", "x", table)], {}))
    assert page.texts["strong"] == marked
    assert "—" in page.texts["td"]


def test_numbers_are_aligned_and_words_are_not():
    table = Table(["Model", "Score", "Range"], [["a", None, "0 to 1"], ["b", 1234.5, "0 to 2"]], digits=1)
    page = Page(render("t", "v", [Section("s", "x", table)], {}))
    assert [head.get("class") for head in page.all("th")[:3]] == [None, "number", None]
    assert "1,234.5" in page.texts["td"]


def test_a_table_without_rows_has_its_headings_only():
    page = Page(render("t", "v", [Section("s", "x", Table(["Model", "F1"], [], best={"F1": "highest"}))], {}))
    assert len(page.all("th")) == 2


def test_a_row_that_does_not_fit_its_headings_is_refused():
    with pytest.raises(ValueError, match="2 cells"):
        Table(["Model", "F1"], [["forest"]])
    with pytest.raises(ValueError, match="Recall"):
        Table(["Model", "F1"], [], best={"Recall": "highest"})


def test_backticks_mark_code_in_sentences_and_nothing_else():
    page = render("T", "Run `segue up <b>`.", [Section("S", "See `x`. A lone ` stays.")], {}, tone="warn")
    assert '<p class="verdict warn">Run <code>segue up &lt;b&gt;</code>.</p>' in page
    assert "<p>See <code>x</code>. A lone ` stays.</p>" in page


def test_cells_may_be_links_and_states():
    table = Table(["A", "B"], [[Link(NASTY, "/x?a=1&b=2"), State("failed", "bad")]])
    page = Page(render("T", "V", [Section("S", "", table)], {}))
    assert {"href": "/x?a=1&b=2", "rel": "noreferrer"} in page.all("a")
    assert NASTY in page.texts["a"]
    assert {"class": "state bad"} in page.all("span")
