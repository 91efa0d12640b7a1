from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.support.corpus_reports import run

from segue.corpus import days
from segue.corpus.days import Days
from segue.corpus.schema import PARTITION
from segue.errors import CorpusError


def test_the_command_line_names_a_range():
    arguments = days.parser("test").parse_args(["--run-id", "x", "--from", "2026-01-01", "--to", "2026-01-31"])
    assert days.chosen(arguments, None) == Days(date(2026, 1, 1), date(2026, 1, 31))


def test_without_dates_all_days_are_meant():
    assert str(days.chosen(days.parser("test").parse_args(["--run-id", "x"]), None)) == "all days"


def test_the_late_days_that_the_inventory_found_come_along():
    arguments = days.parser("test").parse_args(["--run-id", "x", "--from", "2026-01-31", "--to", "2026-01-31"])
    late = (date(2026, 1, 1), date(2026, 1, 3))
    chosen = days.chosen(arguments, run().inventory.model_copy(update={"late_days": late}))
    assert chosen.late == late
    assert str(chosen) == "2026-01-31 and 2 late ones"


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(CorpusError, match=r"ends \(2026-01-01\) before it begins \(2026-01-02\)"):
        Days(date(2026, 1, 2), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, [1, 2, 3]),
        (2, None, [2, 3]),
        (None, 2, [1, 2]),
        (2, 2, [2]),
        (4, 5, []),
    ],
)
def test_finds_the_days_of_the_range_as_a_query_of_spark_does(spark, first, last, expected):
    tables = [{date(2026, 1, day): 1} for day in (1, 2, 3, 2)]
    rows = spark.createDataFrame([(day,) for day in (date(2026, 1, number) for number in (1, 2, 3))], [PARTITION])
    chosen = Days(first and date(2026, 1, first), last and date(2026, 1, last))
    assert chosen.among(*tables) == [date(2026, 1, day) for day in expected]
    assert chosen.among(*tables) == [row[0] for row in rows.where(chosen.condition).sort(PARTITION).collect()]
    with_late = replace(chosen, late=(date(2026, 1, 3),))
    assert with_late.among(*tables) == [
        row[0] for row in rows.where(with_late.condition).sort(PARTITION).collect()
    ]
    assert with_late.among(*tables) == [date(2026, 1, day) for day in sorted({*expected, 3})]
