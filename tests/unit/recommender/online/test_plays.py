from __future__ import annotations

from datetime import UTC, datetime, timedelta

from segue.recommender.online.interleaving import Team
from segue.recommender.online.plays import CREDITED, credit
from segue.recommender.online.served_lists import ServedList

SERVED = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = int(SERVED.timestamp())
DAY = 86_400
MINE, THEIRS = Team.CHALLENGER, Team.CHAMPION


def served(after_days: float = 0, **teams: Team | None) -> ServedList:
    at = SERVED + timedelta(days=after_days)
    names = ("recommender/1", "recommender/2 since then")
    return ServedList("anna", at, at, *names, True, 0.5, list(teams), list(teams.values()))


def test_a_track_counts_for_the_team_that_has_picked_it():
    found = credit([served(a=MINE, b=THEIRS, c=MINE)], {"a": [AT + 60], "b": [AT + 90], "other": [AT + 5]})
    assert found == {MINE: 1, THEIRS: 1}


def test_a_track_counts_once_and_only_after_it_was_served():
    assert credit([served(a=MINE)], {"a": [AT + 60, AT + 70, AT + 80]}) == {MINE: 1}
    assert credit([served(a=MINE)], {"a": [AT - 1]}) == {}
    assert credit([served(a=MINE)], {"a": [AT - 1, AT + 60]}) == {MINE: 1}


def test_a_play_long_after_the_list_does_not_count():
    late = AT + int(CREDITED.total_seconds())
    assert credit([served(a=MINE)], {"a": [late + 1]}) == {}
    assert credit([served(a=MINE)], {"a": [late]}) == {MINE: 1}


def test_a_play_counts_for_the_latest_list_before_it():
    lists = [served(a=MINE), served(2, a=THEIRS)]
    assert credit(lists, {"a": [AT + DAY]}) == {MINE: 1}
    assert credit(lists, {"a": [AT + 3 * DAY]}) == {THEIRS: 1}


def test_a_track_without_a_team_counts_for_nobody():
    assert credit([served(a=None)], {"a": [AT + 60]}) == {}
    assert credit([served(a=MINE), served(1, a=None)], {"a": [AT + 2 * DAY]}) == {}


def test_without_lists_or_plays_nothing_counts():
    assert credit([], {"a": [AT]}) == {}
    assert credit([served(a=MINE)], {}) == {}
