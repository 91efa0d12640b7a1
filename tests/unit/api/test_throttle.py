from __future__ import annotations

import pytest

from segue.api import throttle
from segue.api.throttle import MAX_WAIT_S, Throttle


class Clock:
    """A clock that the test moves on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(throttle, "time", made)
    return made


def test_a_burst_passes_at_once_and_later_requests_at_the_average_rate(clock: Clock) -> None:
    throttled = Throttle(requests=10, window_s=5.0)
    assert [throttled.take("anna").wait_s for _ in range(10)] == pytest.approx([0.0] * 10)
    waits = []
    for _ in range(20):
        slot = throttled.take("anna")
        assert slot.allowed
        waits.append(slot.wait_s)
        clock.now += slot.wait_s
    assert waits == pytest.approx([0.5] * 20)


def test_a_request_that_would_wait_too_long_is_refused_with_the_time_to_try_again(clock: Clock) -> None:
    throttled = Throttle(requests=10, window_s=5.0)
    slots = [throttled.take("anna") for _ in range(100)]
    allowed = [slot for slot in slots if slot.allowed]
    assert len(allowed) == 10 + MAX_WAIT_S / 0.5
    assert slots[-1].wait_s == pytest.approx(MAX_WAIT_S + 0.5)
    clock.now += slots[-1].wait_s
    assert throttled.take("anna").allowed


@pytest.mark.usefixtures("clock")
def test_each_user_is_throttled_separately() -> None:
    throttled = Throttle(requests=1, window_s=5.0)
    while throttled.take("anna").allowed:
        pass
    assert throttled.take("ben").wait_s == 0


def test_a_slot_says_how_many_requests_remain(clock: Clock) -> None:
    throttled = Throttle(requests=10, window_s=5.0)
    first = throttled.take("anna")
    assert (first.remaining, first.reset_s) == (9, 1)
    for _ in range(9):
        last = throttled.take("anna")
    assert (last.remaining, last.reset_s) == (0, 5)
    clock.now += 5
    assert throttled.take("anna").remaining == 9


def test_users_without_recent_requests_are_forgotten(clock: Clock) -> None:
    throttled = Throttle(requests=10, window_s=5.0)
    for number in range(10_001):
        throttled.take(str(number))
    clock.now += 5
    throttled.take("anna")
    assert len(throttled._served_at) == 1
