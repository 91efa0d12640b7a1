from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from segue.recommender.online.interleaving import Team, team_draft

COUNT = 9


def item(number: int, artist: str | None = None) -> dict[str, str]:
    return {"track_id": f"t{number}", "title": f"Title {number}", "artist": artist or f"Artist {number}"}


def drafted(champion: list[int], challenger: list[int], seed: int = 0, count: int = COUNT):
    lists = ([item(number) for number in each] for each in (champion, challenger))
    return team_draft(*lists, random.Random(seed), count=count, per_artist=2)


rankings = st.lists(st.integers(0, 30), unique=True, max_size=20)


@given(champion=rankings, challenger=rankings, seed=st.integers(0, 1000))
def test_no_track_comes_twice_and_the_teams_are_even(champion, challenger, seed):
    found = drafted(champion, challenger, seed)
    tracks = [each["track_id"] for each, _ in found]
    assert len(set(tracks)) == len(tracks) == min(COUNT, len({*champion, *challenger}))
    sizes = Counter(team for _, team in found)
    assert sizes[Team.CHAMPION] == sizes[Team.CHALLENGER]
    for ranking, team in ((champion, Team.CHAMPION), (challenger, Team.CHALLENGER)):
        picked = [int(each["track_id"][1:]) for each, of in found if of is team]
        assert picked == sorted(picked, key=ranking.index), "each model picks its best first"


@given(artists=st.lists(st.integers(0, 4), min_size=20, max_size=20), seed=st.integers(0, 1000))
def test_an_artist_has_at_most_two_tracks_in_both_lists_together(artists, seed):
    items = [item(number, f"Artist {artist}") for number, artist in enumerate(artists)]
    found = team_draft(items, items[::-1], random.Random(seed), count=COUNT, per_artist=2)
    assert max(Counter(each["artist"] for each, _ in found).values()) <= 2


def test_a_recording_that_two_catalogues_know_by_different_tracks_comes_once():
    copy = item(1) | {"track_id": "copy"}
    found = team_draft([item(1), item(2)], [copy, item(3)], random.Random(0), count=4, per_artist=2)
    assert len(found) == 3


def test_tracks_without_names_are_different_tracks():
    nameless = [{"track_id": f"t{number}", "title": "", "artist": ""} for number in range(8)]
    found = team_draft(nameless[:4], nameless[4:], random.Random(0), count=8, per_artist=2)
    assert len(found) == 8
    numbered = [item(number) | {"artist": "", "title": "Track 01"} for number in range(8)]
    assert len(team_draft(numbered[:4], numbered[4:], random.Random(0), count=8, per_artist=2)) == 8


def test_if_both_models_rank_alike_every_position_is_either_teams_as_often():
    wins = Counter(
        (position, team)
        for seed in range(2_000)
        for position, (_, team) in enumerate(drafted(list(range(20)), list(range(20)), seed))
    )
    for position in range(COUNT - 1):
        assert abs(wins[position, Team.CHALLENGER] / 2_000 - 0.5) < 0.05
    assert wins[COUNT - 1, None] == 2_000, "an odd place at the end has no team"


def test_when_one_list_has_ended_nobody_gains_from_the_rest():
    found = drafted([1], [2, 3, 4, 5])
    assert [team for _, team in found[2:]] == [None] * 3
    assert drafted([], [1, 2]) == [(item(1), None), (item(2), None)]
    assert drafted([], []) == []
