from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from segue.api.periods import NAMES, period, steps

SATURDAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("name", "before", "start", "end"),
    [
        ("this_week", "2026-11-16", "2026-11-23", "2026-11-29"),
        ("week", "2026-11-09", "2026-11-16", "2026-11-23"),
        ("this_month", "2026-10-01", "2026-11-01", "2026-11-29"),
        ("month", "2026-09-01", "2026-10-01", "2026-11-01"),
        ("quarter", "2026-04-01", "2026-07-01", "2026-10-01"),
        ("half_yearly", "2025-07-01", "2026-01-01", "2026-07-01"),
        ("this_year", "2025-01-01", "2026-01-01", "2026-11-29"),
        ("year", "2024-01-01", "2025-01-01", "2026-01-01"),
    ],
)
def test_periods_are_those_of_the_calendar(name: str, before: str, start: str, end: str) -> None:
    found = period(name, SATURDAY)
    assert (str(found.before), str(found.start), str(found.end)) == (before, start, end)


def test_january_looks_back_into_the_year_before() -> None:
    assert str(period("month", date(2026, 1, 31)).start) == "2025-12-01"
    assert str(period("quarter", date(2026, 1, 31)).start) == "2025-10-01"


def test_a_leap_day_belongs_to_its_week_month_and_year() -> None:
    leap_day = date(2028, 2, 29)
    for name in ("this_week", "this_month", "this_year", "all_time"):
        assert period(name, leap_day).end == date(2028, 3, 1)
    assert str(period("month", date(2028, 3, 31)).start) == "2028-02-01"
    assert period("month", date(2028, 3, 31)).to_ts - period("month", date(2028, 3, 31)).from_ts == 29 * 86_400
    assert str(period("year", leap_day).before) == "2026-01-01"


def test_times_do_not_end_in_2038() -> None:
    assert period("this_month", date(2038, 1, 20)).to_ts == 2**31 + 161_152  # 2038-01-21 00:00:00 UTC


@pytest.mark.parametrize("name", NAMES)
def test_steps_fill_a_period_and_the_one_before_it_without_gaps(name: str) -> None:
    asked = period(name, SATURDAY)
    found = list(steps(asked))
    assert found[0][0] == asked.before
    assert found[-1][1] >= asked.end
    assert all(one[1] == next_[0] for one, next_ in pairwise(found))
    assert len({label for _, _, label in found}) == len(found)


def test_labels_are_days_months_or_years() -> None:
    assert next(steps(period("this_week", SATURDAY)))[2] == "Monday 16 November 2026"
    assert next(steps(period("this_year", SATURDAY)))[2] == "January 2025"
    assert next(steps(period("all_time", SATURDAY)))[2] == "2002"
