from __future__ import annotations

import pytest

from segue.corpus.publications import DayRange, _standing

ALL = "the first day to the last day"
FIRST, SECOND, THIRD = ("2026-03-01 to 2026-03-01", "2026-03-02 to 2026-03-02", "2026-03-03 to 2026-03-03")
LATE = " and late days"


def standing(days, *published, latest_day="2026-03-02"):
    """Return the name of the range whose run is named, if the published ranges cover the days."""
    found = _standing([{"_id": name, "latest_day": latest_day} for name in published], DayRange.named(days))
    return found and found["_id"]


@pytest.mark.parametrize(
    ("days", "published", "expected"),
    [
        (FIRST, [ALL], ALL),
        (ALL, [ALL], ALL),
        (ALL, [FIRST, SECOND], None),
        ("2026-03-01 to 2026-03-02", [SECOND, FIRST], SECOND),
        ("2026-03-01 to 2026-03-03", [THIRD, FIRST], None),
        ("2026-02-28 to 2026-03-01", [FIRST, "the first day to 2026-02-28"], FIRST),
        (ALL, ["2026-03-01 to the last day", "the first day to 2026-03-05"], "2026-03-01 to the last day"),
        (FIRST, [ALL, FIRST], ALL),
        (FIRST, [SECOND, "2026-02-27 to 2026-03-01", FIRST], "2026-02-27 to 2026-03-01"),
        (FIRST, [], None),
    ],
)
def test_days_stand_if_published_ranges_hold_all_of_them(days, published, expected):
    assert standing(days, *published) == expected


def test_a_run_over_all_days_leaves_no_late_days():
    assert standing(SECOND + LATE, ALL) == ALL
    assert standing(SECOND + LATE, "the first day to 2026-03-02") == "the first day to 2026-03-02"
    assert standing(SECOND + LATE, SECOND) is None, "earlier days may be late"


def test_a_night_without_new_files_after_a_night_with_some():
    assert standing(THIRD + LATE, SECOND + LATE) == SECOND + LATE
    assert standing(THIRD + LATE, FIRST + LATE) is None, "the second day has files that no night has processed"
    assert standing(FIRST + LATE, SECOND + LATE) is None
    assert standing(FIRST, SECOND + LATE) is None, "earlier days were published from another state"


def test_without_the_latest_day_nothing_is_assumed():
    assert standing(THIRD + LATE, SECOND + LATE, latest_day=None) is None
