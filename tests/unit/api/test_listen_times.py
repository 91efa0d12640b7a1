from __future__ import annotations

from typing import Any

import pytest

from segue.api.errors import BadListenError
from segue.api.listen_times import listened_at

NOW = 1_800_000_000
PLAYED = 1_700_000_000


@pytest.mark.parametrize(
    "sent",
    [
        PLAYED,
        str(PLAYED),
        float(PLAYED),
        PLAYED + 0.9,
        f"{PLAYED}.5",
        PLAYED * 1000,
        PLAYED * 1000 + 999,
        str(PLAYED * 1000),
        PLAYED * 10**6,
        PLAYED * 10**9,
        "2023-11-14T22:13:20Z",
        "2023-11-14T23:13:20+01:00",
    ],
)
def test_a_time_in_any_unit_and_spelling_is_read(sent: Any) -> None:
    assert listened_at(sent, NOW) == (PLAYED, None)


@pytest.mark.parametrize("ahead_s", [1, 7200, 86_400])
def test_a_clock_that_is_ahead_gets_the_time_of_arrival_and_its_own_is_kept(ahead_s: int) -> None:
    assert listened_at(NOW + ahead_s, NOW) == (NOW, NOW + ahead_s)
    assert listened_at((NOW + ahead_s) * 1000, NOW) == (NOW, NOW + ahead_s)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (NOW + 86_401, "more than 24 hours ahead"),
        (10**400, "more than 24 hours ahead"),
        (0, "the clock of the player is not set"),
        (3_600, "the clock of the player is not set"),
        (-1, "negative"),
        (1_033_430_399, "should be greater than 1033430400"),
        ("yesterday", "an int value"),
        ("", "an int value"),
        (None, "an int value"),
        (True, "an int value"),
        ([PLAYED], "an int value"),
        ({"$gt": 0}, "an int value"),
        (float("inf"), "an int value"),
        (float("nan"), "an int value"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_a_sentence(sent: Any, sentence: str) -> None:
    with pytest.raises(BadListenError, match=sentence):
        listened_at(sent, NOW)
