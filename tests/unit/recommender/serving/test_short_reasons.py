from __future__ import annotations

from typing import Any

import pytest

from segue.recommender.serving.short_reasons import in_short


def item(
    *adds: float, others: float = 0.0, popularity: float = 0.0, alike: str | None = None, named: bool = True
) -> dict[str, Any]:
    names = ("Miles Davis", "Björk", "Can")
    because = [
        {"track_id": f"t{i}", "title": f"Title {i}", "adds": added} | ({"artist": names[i]} if named else {})
        for i, added in enumerate(adds)
    ]
    return {"because": because, "others": others, "popularity": popularity, "sounds_like_title": alike}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (item(3, 2, 1), "Because you play Miles Davis"),
        (item(3, 2, 1, others=40, alike="So What"), "Sounds like “So What”"),
        (item(3, 2, 1, others=40), "Listeners like you play it"),
        (item(3, 2, 1, popularity=50), "Many listeners play it"),
        (item(3, 2, 1, popularity=50, alike="So What"), "Sounds like “So What”"),
        (item(popularity=2), "Many listeners play it"),
        (item(3, named=False), "Listeners like you play it"),
        (item(-3, others=-1, popularity=0), "Many listeners play it"),
    ],
)
def test_the_main_cause_is_named(given: dict[str, Any], said: str) -> None:
    assert in_short(given) == said


def test_a_loved_artist_goes_before_one_that_is_only_played() -> None:
    assert in_short(item(3, 2, 1), {"bjork"}) == "Because you love Björk"
    assert in_short(item(3, 2, 0.1), {"can"}) == "Because you play Miles Davis", "too little of it is due to Can"
