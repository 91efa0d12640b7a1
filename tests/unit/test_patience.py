from __future__ import annotations

from segue.patience import Patience


def test_a_wait_lasts_as_long_as_something_moves():
    now = 0.0
    patience = Patience(60, clock=lambda: now)
    for step in range(100):
        now += 59
        assert not patience.is_over(step)


def test_a_wait_ends_when_nothing_has_moved_for_the_stated_time():
    now = 0.0
    patience = Patience(60, clock=lambda: now)
    assert not patience.is_over("running")
    now = 60
    assert not patience.is_over("running")
    now = 61
    assert patience.is_over("running")
    assert not patience.is_over("success")
