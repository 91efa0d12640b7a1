"""Charts as SVG, drawn by the server. Their colours are those of the page, so they follow its dark mode.

A chart is 340 units wide, which is the width of a phone: its text, 10 units high, can be read there and on a large
screen. A reader who cannot see a chart gets its description.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from segue.runs.html import Tone

WIDTH = 340
ROW = 18
PLOT = 110
"""Height of the plot of columns and lines."""


@dataclass(frozen=True)
class Chart:
    """A drawn chart.

    Attributes
    ----------
    caption : str
        What is shown, and its unit.
    alt : str
        What the chart says, for readers who cannot see it.
    body : str
        Elements of the SVG.
    height : float
    broad : bool
        Whether the chart takes the whole width of the page.
    """

    caption: str
    alt: str
    body: Markup
    height: float
    broad: bool = False

    def __html__(self) -> str:
        return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            WIDTH, round(self.height, 1), self.alt, self.body
        )


@dataclass(frozen=True)
class Bar:
    """A bar with its name.

    Attributes
    ----------
    name : str
    value : float
        Not negative.
    text : str
        The value as it is written beside the bar.
    tone : str
    """

    name: str
    value: float
    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Point:
    """A point of a line.

    Attributes
    ----------
    name : str
        Below the axis.
    value : float
    low, high : float or None
        Bounds of its interval.
    marked : bool
        Whether the point is highlighted.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    marked: bool = False


def bars(caption: str, shown: Sequence[Bar], *, limit: float | None = None) -> Chart:
    """Draw horizontal bars, the first on top.

    Parameters
    ----------
    caption : str
    shown : sequence of Bar
    limit : float, optional
        A dashed line at this value.
    """
    most = max([bar.value for bar in shown] + [limit or 0.0]) or 1.0
    left, room = 118.0, WIDTH - 118.0 - 52.0
    parts = []
    for place, bar in enumerate(shown):
        y = place * ROW
        width = max(room * bar.value / most, 1.0)
        parts.append(
            Markup(
                '<text x="{}" y="{}" text-anchor="end">{}</text><rect x="{}" y="{}" width="{:.1f}" height="11" '
                'rx="2" class="{}"/><text x="{:.1f}" y="{}" class="quiet">{}</text>'
            ).format(
                left - 6,
                y + 12,
                _short(bar.name, 21),
                left,
                y + 3,
                width,
                bar.tone or "bar",
                left + width + 5,
                y + 12,
                bar.text,
            )
        )
    height = len(shown) * ROW
    if limit is not None:
        x = left + room * limit / most
        parts.append(Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}" class="limit"/>').format(x, height))
    alt = f"{caption}: {', '.join(f'{bar.name} {bar.text}' for bar in shown)}."
    return Chart(caption, alt, Markup("").join(parts), height)


def columns(caption: str, values: Mapping[str, float], *, every: int = 1) -> Chart:
    """Draw columns over time.

    Parameters
    ----------
    caption : str
    values : mapping of str to float
        Not negative, by the name below the axis.
    every : int
        Only each such name is written.
    """
    most = max([*values.values(), 0.0]) or 1.0
    left, room = 30.0, WIDTH - 30.0
    step = room / max(len(values), 1)
    parts = [_axis(0.0, most, left)]
    for place, (name, value) in enumerate(values.items()):
        height = PLOT * value / _top(most)
        x = left + place * step
        parts.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="bar"><title>{}: {}</title>'
                "</rect>"
            ).format(x + step * 0.1, 6 + PLOT - height, step * 0.8, height, name, f"{value:,.0f}")
        )
        if place % every == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle" class="quiet">{}</text>').format(
                    x + step / 2, PLOT + 20, name
                )
            )
    highest = max(values, key=values.__getitem__, default="")
    said = f"highest {values[highest]:,.0f} at {highest}" if values else "nothing"
    return Chart(
        caption, f"{caption}: {sum(values.values()):,.0f} in all, {said}.", Markup("").join(parts), PLOT + 26
    )


def line(caption: str, points: Sequence[Point], *, limit: float | None = None) -> Chart:
    """Draw a line with the intervals of its points as a band. Marked points have a ring.

    Parameters
    ----------
    caption : str
    points : sequence of Point
        At least one, oldest first.
    limit : float, optional
        A dashed line at this value.
    """
    most = max([point.high if point.high is not None else point.value for point in points] + [limit or 0.0]) or 1.0
    left, margin = 34.0, 8.0
    room = WIDTH - left - 2 * margin
    step = room / max(len(points) - 1, 1)

    def x(place: int) -> float:
        return left + margin + (place * step if len(points) > 1 else room / 2)

    def y(value: float) -> float:
        return 6 + PLOT * (1 - value / _top(most))

    parts = [_axis(0.0, most, left)]
    banded = [
        (place, point.low, point.high)
        for place, point in enumerate(points)
        if point.low is not None and point.high is not None
    ]
    if len(banded) > 1:
        outline = [(x(place), y(high)) for place, _, high in banded] + [
            (x(place), y(low)) for place, low, _ in reversed(banded)
        ]
        parts.append(Markup('<polygon points="{}" class="band"/>').format(_path(outline)))
    elif banded:
        [(place, low, high)] = banded
        parts.append(
            Markup('<rect x="{:.1f}" y="{:.1f}" width="10" height="{:.1f}" class="band"/>').format(
                x(place) - 5, y(high), y(low) - y(high)
            )
        )
    if limit is not None:
        parts.append(
            Markup('<line x1="{}" x2="{}" y1="{2:.1f}" y2="{2:.1f}" class="limit"/>').format(left, WIDTH, y(limit))
        )
    parts.append(
        Markup('<polyline points="{}" class="line" stroke-width="2"/>').format(
            _path([(x(place), y(point.value)) for place, point in enumerate(points)])
        )
    )
    every = math.ceil(len(points) / 8)
    for place, point in enumerate(points):
        parts.append(
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{}" class="{}"><title>{}: {:.3f}</title></circle>').format(
                x(place),
                y(point.value),
                4 if point.marked else 2.5,
                "ring" if point.marked else "bar",
                point.name,
                point.value,
            )
        )
        if (len(points) - 1 - place) % every == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle" class="quiet">{}</text>').format(
                    x(place), PLOT + 20, point.name
                )
            )
    said = ", ".join(f"{point.name} {point.value:.3f}{' (marked)' if point.marked else ''}" for point in points)
    return Chart(caption, f"{caption}: {said}.", Markup("").join(parts), PLOT + 26)


def calendar(caption: str, days: Mapping[date, tuple[str, str]], last: date, alt: str, weeks: int = 53) -> Chart:
    """Draw a square for each day of a year, a column for each week.

    Parameters
    ----------
    caption : str
    days : mapping of date to (str, str)
        Class of the square (a `Tone`, ``bar`` or ``pale``) and its tooltip. Other days are empty squares.
    last : date
        The last day that is shown.
    alt : str
        Description for readers who cannot see the calendar.
    weeks : int
        Number of columns.
    """
    left, step = 18.0, (WIDTH - 18.0) / weeks
    size = step * 0.84
    first = last - timedelta(days=last.weekday(), weeks=weeks - 1)
    parts = [
        Markup('<text x="0" y="{:.1f}" class="quiet" font-size="5">{}</text>').format(
            8 + place * step + size, name
        )
        for place, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"))
    ]
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        x, y = left + number // 7 * step, 8 + number % 7 * step
        kind, tip = days.get(day, ("empty", ""))
        title = Markup("<title>{}</title>").format(tip) if tip else ""
        parts.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="0.8" class="{}">{}</rect>'
            ).format(x, y, size, size, kind, title)
        )
        if day.day <= 7 and day.weekday() == 0:
            parts.append(
                Markup('<text x="{:.1f}" y="5" class="quiet" font-size="5">{}</text>').format(x, f"{day:%b}")
            )
    return Chart(caption, alt, Markup("").join(parts), 8 + 7 * step, broad=True)


def _axis(low: float, most: float, left: float) -> Markup:
    top = _top(most)
    marks = [low, top / 2, top]
    return Markup("").join(
        Markup(
            '<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}" class="rule"/>'
            '<text x="{3}" y="{4:.1f}" text-anchor="end" class="quiet">{5}</text>'
        ).format(left, WIDTH, 6 + PLOT * (1 - mark / top), left - 5, 9.5 + PLOT * (1 - mark / top), _number(mark))
        for mark in marks
    )


def _top(most: float) -> float:
    """Round up to 1, 2, 3, 5 or 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(factor * power for factor in (1, 2, 3, 5, 8, 10) if most <= factor * power * 1.0001)


def _number(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
