"""A report as one HTML page without JavaScript. It loads no other files.

Figures are PNGs or SVGs inside the page. So the page can be stored as one document, mailed, and opened years
later.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

Tone = Literal["good", "warn", "bad", ""]
"""Colour of a state: green, amber, red, or none."""


@dataclass(frozen=True)
class Link:
    """A link in a cell.

    Parameters
    ----------
    text : str
    address : str
        Path on the same server, or a web address.
    """

    text: str
    address: str

    def __html__(self) -> str:
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(self.address, self.text)


@dataclass(frozen=True)
class State:
    """A word in a cell with the colour of a traffic light."""

    text: str
    tone: Tone

    def __html__(self) -> str:
        return Markup('<span class="state {}">{}</span>').format(self.tone, self.text)


Cell = str | float | int | Link | State | None

DOTS_PER_INCH = 200
"""A figure five inches wide then fills the column of text on a sharp screen, and can be read on a phone."""


class Shown(Protocol):
    """What a section shows beside text and table: a `Picture`, or an SVG of `segue.runs.charts`.

    Figures with a caption stand side by side; a broad one takes the whole width.
    """

    @property
    def caption(self) -> str: ...  # noqa: D102

    def __html__(self) -> str: ...


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Parameters
    ----------
    headings : sequence of str
    rows : sequence of sequences of str, int, float or None
        Each as long as `headings`. Numbers are aligned, and None is shown as a dash.
    best : mapping of str to {"highest", "lowest"}
        The columns in which the best value is marked, by heading. In a tie, all best values are marked.
    digits : int
        Decimals of a float.

    Raises
    ------
    ValueError
        If a row is not as long as `headings`, or `best` names a column that is not among them.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    best: Mapping[str, str] | None = None
    digits: int = 3

    def __post_init__(self) -> None:
        if any(len(row) != len(self.headings) for row in self.rows):
            raise ValueError(f"Every row must have {len(self.headings)} cells: {', '.join(self.headings)}.")
        if not set(self.best or {}) <= set(self.headings):
            raise ValueError(f"best names {set(self.best or {}) - set(self.headings)}, which are no headings.")

    @property
    def numeric(self) -> list[bool]:
        """Return for each column whether it contains numbers."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.headings)
        return [any(isinstance(cell, int | float) for cell in column) for column in columns]

    def shown(self) -> list[list[tuple[str, bool]]]:
        """Return the text of each cell, and whether it is the best of its column."""
        best = {self.headings.index(heading): self._best(heading) for heading in self.best or {}}
        return [
            [
                (_spell(cell, self.digits), cell is not None and cell == best.get(column))
                for column, cell in enumerate(row)
            ]
            for row in self.rows
        ]

    def _best(self, heading: str) -> Cell:
        column = self.headings.index(heading)
        numbers = [cell for row in self.rows if isinstance(cell := row[column], int | float)]
        choose = max if (self.best or {})[heading] == "highest" else min
        return choose(numbers, default=None)


@dataclass(frozen=True)
class Picture:
    """A figure, and its description for readers who cannot see it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Made without pyplot, which would keep the figure in memory. A good width is about five inches. The figure
        gets the background of the page. In dark mode, black becomes white.
    alt : str
        A text that says what the figure shows. It need not say that there is a figure.

    Raises
    ------
    ValueError
        If `alt` is empty.
    """

    figure: Figure
    alt: str

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("A figure needs alt text: say what it shows.")

    @property
    def caption(self) -> str:
        """Return an empty text: the title of the section says what the figure shows."""
        return ""

    def __html__(self) -> str:
        return Markup('<img src="{}" alt="{}">').format(self.source(), self.alt)

    def source(self) -> str:
        """Return the figure as a PNG in a data URI."""
        drawn = io.BytesIO()
        # Matplotlib would write its own address into the file.
        self.figure.savefig(
            drawn,
            format="png",
            dpi=DOTS_PER_INCH,
            bbox_inches="tight",
            transparent=True,
            metadata={"Software": None},
        )
        return f"data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}"


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Parameters
    ----------
    title : str
    text : str
        A sentence or two on what the section shows. A blank line begins a new paragraph.
    table : Table, optional
    figures : sequence of Picture or of charts
    """

    title: str
    text: str
    table: Table | None = None
    figures: Sequence[Shown] = ()

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs of the text."""
        return self.text.split("\n\n")


def render(
    title: str,
    verdict: str,
    sections: Sequence[Section],
    facts: Mapping[str, Cell],
    links: Mapping[str, str] | None = None,
    *,
    tone: Tone = "",
) -> str:
    """Render a report as HTML.

    Parameters
    ----------
    title : str
    verdict : str
        The outcome and its reason, in one sentence for readers in a hurry.
    sections : sequence of Section
    facts : mapping of str to str, int, float or None
        What the report is about: data, time range, versions.
    links : mapping of str to str, optional
        Addresses by their label. The page shows them in full. A link opens in the same frame, because Airflow
        shows a report in a frame that must not open windows.
    tone : str
        Colour of the verdict.

    Returns
    -------
    str
        A whole page. Every text in it is escaped, so tags and names of the corpus cannot contain HTML.

    Raises
    ------
    ValueError
        If a link is no web address.

    Examples
    --------
    >>> table = Table(["Model", "F1"], [["forest", 0.71], ["guessing", 0.04]], best={"F1": "highest"})
    >>> page = render("Genre model", "Promoted.", [Section("Test", "On tracks not seen.", table)], {"Tracks": 240})
    >>> page.count("<table")
    1
    """
    spelled = {name: _spell(value, 3) for name, value in facts.items()}
    if wrong := [link for link in (links or {}).values() if not link.startswith(("http://", "https://"))]:
        raise ValueError(f"A link must begin with http:// or https://: {', '.join(wrong)}.")
    return _template().render(
        title=title, verdict=verdict, tone=tone, sections=sections, facts=spelled, links=links or {}
    )


def retitled(page: str, before: str, after: str) -> str:
    """Return a rendered page with another title, such as one with the version that the model has got since.

    Parameters
    ----------
    page : str
        Result of `render`.
    before, after : str
        The titles.
    """
    for tag in ("title", "h1"):
        page = page.replace(f"<{tag}>{escape(before)}</{tag}>", f"<{tag}>{escape(after)}</{tag}>", 1)
    return page


def _spell(cell: Cell, digits: int) -> str:
    if isinstance(cell, Link | State):
        return cell.__html__()
    if cell is None or isinstance(cell, str):
        return "—" if cell is None else cell
    return (f"{cell:,.{digits}f}" if isinstance(cell, float) else f"{cell:,}").replace("-", "−")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("segue"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    return environment.get_template("report.html.j2")


def _coded(text: str) -> Markup:
    """Escape a text, and mark what is between backticks as code."""
    parts = enumerate(re.split("`([^`]+)`", text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in parts
    )
