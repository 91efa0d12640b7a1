"""The periods of statistics, with ListenBrainz's names. Weeks begin on Monday; all days are in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from segue.listens import limits

NAMES: Final = (
    "this_week",
    "this_month",
    "this_year",
    "week",
    "month",
    "quarter",
    "half_yearly",
    "year",
    "all_time",
)
"""Names without "this_" mean the last complete period."""

_MONTHS: Final = {"month": 1, "quarter": 3, "half_yearly": 6, "year": 12}
_FIRST: Final = date(datetime.fromtimestamp(limits.MIN_LISTENED_AT, UTC).year, 1, 1)
"""First day of the period all_time: the year of the oldest possible listen."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period from the day `start` to the day before `end`. The period before it begins on the day `before`."""

    name: str
    before: date
    start: date
    end: date

    @property
    def from_ts(self) -> int:
        """The start, in seconds since 1970."""
        return seconds(self.start)

    @property
    def to_ts(self) -> int:
        """The end, in seconds since 1970."""
        return seconds(self.end)


def period(name: str, today: date) -> Period:
    """Return the days of a period.

    Parameters
    ----------
    name
        One of `NAMES`.
    today
        The current day in UTC.

    Returns
    -------
    Period
    """
    if name == "all_time":
        return Period(name, _FIRST, _FIRST, today + timedelta(days=1))
    unit = name.removeprefix("this_")
    if unit == "week":
        this = today - timedelta(days=today.weekday())
        edges = [this - timedelta(weeks=weeks) for weeks in (2, 1, 0, -1)]
    else:
        months = _MONTHS[unit]
        this = date(today.year, (today.month - 1) // months * months + 1, 1)
        edges = [_months_later(this, months * step) for step in (-2, -1, 0, 1)]
    if name == unit:
        return Period(name, edges[0], edges[1], edges[2])
    return Period(name, edges[1], edges[2], min(edges[3], today + timedelta(days=1)))


def steps(asked: Period) -> Iterator[tuple[date, date, str]]:
    """Divide a period and the one before it into days, months or years.

    Yields
    ------
    first, end : date
        First day of a step, and the day after its last day.
    label : str
        Its name, which players show.
    """
    unit = asked.name.removeprefix("this_")
    at = asked.before
    while at < asked.end:
        if unit in ("week", "month"):
            until, label = at + timedelta(days=1), f"{at:%A %d %B %Y}" if unit == "week" else f"{at:%d %B %Y}"
        elif unit == "all_time":
            until, label = _months_later(at, 12), f"{at:%Y}"
        else:
            until, label = _months_later(at, 1), f"{at:%B %Y}"
        yield at, until, label
        at = until


def seconds(day: date) -> int:
    """Return the start of a day in UTC, in seconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)
