from __future__ import annotations

from chain import _each_once

from segue.listens.events import listen


def test_a_play_that_comes_twice_is_sent_once() -> None:
    plays = [listen("ann", "t1", 5), listen("ann", "t2", 5), listen("ann", "t1", 5), listen("bob", "t1", 5)]
    people: dict[str, None] = {}
    sent = list(_each_once(iter(plays), people))
    assert [(event.user_name, event.track_id) for event in sent] == [("ann", "t1"), ("ann", "t2"), ("bob", "t1")]
    assert list(people) == ["ann", "bob"]
