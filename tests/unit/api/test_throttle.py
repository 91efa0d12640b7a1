from __future__ import annotations

import pytest

from segue.api import throttle
from segue.api.throttle import MAX_WAIT_S, Throttle


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(throttle, "time", made)
    return made


def test_a_burst_goes_through_and_what_follows_has_the_average_rate(clock: Clock) -> None:
    paced = Throttle(requests=10, window_s=5.0)
    assert [paced.take("anna").wait_s for _ in range(10)] == pytest.approx([0.0] * 10)
    waits = []
    for _ in range(20):
        turn = paced.take("anna")
        assert turn.allowed
        waits.append(turn.wait_s)
        clock.now += turn.wait_s
    assert waits == pytest.approx([0.5] * 20)


def test_who_does_not_wait_is_refused_when_the_queue_is_too_long_and_told_when_to_come_back(clock: Clock) -> None:
    paced = Throttle(requests=10, window_s=5.0)
    turns = [paced.take("anna") for _ in range(100)]
    allowed = [turn for turn in turns if turn.allowed]
    assert len(allowed) == 10 + MAX_WAIT_S / 0.5
    assert turns[-1].wait_s == pytest.approx(MAX_WAIT_S + 0.5)
    clock.now += turns[-1].wait_s
    assert paced.take("anna").allowed


@pytest.mark.usefixtures("clock")
def test_each_user_has_a_pace_of_their_own() -> None:
    paced = Throttle(requests=1, window_s=5.0)
    while paced.take("anna").allowed:
        pass
    assert paced.take("ben").wait_s == 0


def test_what_is_left_is_told(clock: Clock) -> None:
    paced = Throttle(requests=10, window_s=5.0)
    first = paced.take("anna")
    assert (first.remaining, first.reset_s) == (9, 1)
    for _ in range(9):
        last = paced.take("anna")
    assert (last.remaining, last.reset_s) == (0, 5)
    clock.now += 5
    assert paced.take("anna").remaining == 9


def test_users_who_are_gone_are_forgotten(clock: Clock) -> None:
    paced = Throttle(requests=10, window_s=5.0)
    for number in range(10_001):
        paced.take(str(number))
    clock.now += 5
    paced.take("anna")
    assert len(paced._served_at) == 1
