from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture(scope="module")
def days():
    """Make the timetable as a DAG does."""
    from segue_days import DayByDay

    return DayByDay()


def midnight(in_days):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=in_days)


@pytest.mark.parametrize(("first", "last", "expected"), [(-3, -1, [-3, -2, -1]), (-1, 7, [-1, 0]), (1, 7, [])])
def test_a_backfill_takes_no_day_that_is_still_to_come(days, first, last, expected):
    runs = list(days.iter_partition_dagrun_infos(earliest=midnight(first), latest=midnight(last)))
    assert [run.partition_date for run in runs] == [midnight(each) for each in expected]
    assert [run.partition_key for run in runs] == [str(midnight(each).date()) for each in expected]


def test_it_begins_with_the_next_midnight_which_takes_the_day_that_ends(days):
    from airflow.timetables.base import TimeRestriction

    nothing = TimeRestriction(earliest=None, latest=None, catchup=False)
    run = days.next_dagrun_info_v2(last_dagrun_info=None, restriction=nothing)
    assert (run.run_after, run.partition_key) == (midnight(1), str(midnight(0).date()))


def test_the_scheduler_reads_it_as_it_was_written(days):
    assert type(days).deserialize(days.serialize()).serialize() == days.serialize()
    assert days.partitioned
