"""Which ids of listens are compared on a day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from segue.listens.comparing import AT_ONCE, slice_of
from segue.listens.store import PREFIXES, id_bounds

DAY = date(2026, 3, 1)
EVERYTHING = (0, PREFIXES)


@pytest.mark.parametrize("rows", [0, 1, AT_ONCE])
def test_few_listens_are_compared_each_day(rows: int) -> None:
    assert slice_of(rows, DAY) == EVERYTHING


def test_the_slices_of_some_days_hold_each_id_once() -> None:
    slices = sorted(slice_of(3 * AT_ONCE, DAY + timedelta(days=number)) for number in range(3))
    assert slices == [(0, 85), (85, 170), (170, 256)]
    assert [id_bounds(*each) for each in slices] == [("", "55"), ("55", "aa"), ("aa", "\U0010ffff")]
    assert slice_of(3 * AT_ONCE, DAY + timedelta(days=3)) == slice_of(3 * AT_ONCE, DAY)


def test_there_are_never_more_slices_than_two_digits_can_name() -> None:
    slices = {slice_of(10**12, DAY + timedelta(days=number)) for number in range(256)}
    assert len(slices) == 256
