from __future__ import annotations

import re
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from segue.runs.charts import WIDTH, Bar, Point, bars, calendar, columns, line

NASTY = 'Rock & <b>"Roll"</b>'


def parsed(chart):
    return ET.fromstring(chart.__html__())  # noqa: S314 - made by the chart itself


def test_the_longest_bar_fills_the_room_and_names_are_escaped():
    drawn = parsed(bars("Files", [Bar(NASTY, 4, "4"), Bar("b", 2, "2")], limit=8))
    first, second = (float(rect.get("width")) for rect in drawn.iter("rect"))
    assert first == pytest.approx(2 * second, abs=0.1)
    assert drawn.get("aria-label") == f"Files: {NASTY} 4, b 2."
    [limit] = drawn.iter("line")
    assert float(limit.get("x1")) > 118 + first, "the limit is beyond the bars"


def test_columns_rise_from_zero_and_say_their_highest():
    drawn = parsed(columns("Listens", {"00": 0.0, "01": 30.0, "02": 15.0}))
    heights = [float(rect.get("height")) for rect in drawn.iter("rect")]
    assert heights[0] == 0
    assert heights[1] == pytest.approx(2 * heights[2])
    assert drawn.get("aria-label") == "Listens: 45 in all, highest 30 at 01."


def test_a_line_has_a_band_where_intervals_are_known_and_a_ring_for_each_mark():
    points = [Point("1", 0.1), Point("2", 0.2, 0.15, 0.25, marked=True), Point("3", 0.3, 0.2, 0.4)]
    drawn = parsed(line("F1", points))
    [band] = drawn.iter("polygon")
    assert len(band.get("points").split()) == 4
    assert [circle.get("class") for circle in drawn.iter("circle")] == ["bar", "ring", "bar"]
    assert "2 0.200 (marked)" in drawn.get("aria-label")


@pytest.mark.parametrize("points", [[Point("1", 0.0)], [Point("1", 0.5, 0.4, 0.6)]])
def test_a_single_point_is_drawn_inside(points):
    drawn = parsed(line("F1", points))
    [circle] = drawn.iter("circle")
    assert 34 < float(circle.get("cx")) < WIDTH


def test_a_calendar_ends_with_its_last_day_and_marks_known_days():
    days = {date(2026, 11, 27): ("bad", "2026-11-27: in quarantine")}
    drawn = parsed(calendar("Days", days, date(2026, 11, 28), "A year."))
    squares = list(drawn.iter("rect"))
    assert len(squares) == 52 * 7 + 6, "52 whole weeks and Monday to Saturday"
    assert [square.get("class") for square in squares[-2:]] == ["bad", "empty"]
    assert squares[-2].find("title").text == "2026-11-27: in quarantine"


def test_colours_come_from_the_page_so_that_dark_mode_works():
    drawn = bars("Files", [Bar("a", 1, "1", "bad")]).__html__()
    assert not re.search(r'fill="|stroke="#', drawn)
