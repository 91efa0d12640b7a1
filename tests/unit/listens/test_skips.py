from __future__ import annotations

from typing import Any

import pytest

from segue.listens.events import Listen
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.skips import is_skip, played_s
from segue.listens.store import document_of


@pytest.mark.parametrize(
    ("info", "seconds"),
    [
        ({"duration_played": 12}, 12.0),
        ({"duration_played": "12"}, 12.0),
        ({"ms_played": 1_603}, 1.603),
        ({"duration_played": 0}, None),
        ({"duration_played": -3}, None),
        ({"duration_played": True}, None),
        ({"duration_played": "nan"}, None),
        ({"duration_played": [12]}, None),
        ({"duration": 200}, None),
        ({}, None),
    ],
)
def test_how_much_was_played(info: dict[str, Any], seconds: float | None) -> None:
    assert played_s(info) == seconds


@pytest.mark.parametrize(
    ("info", "track_s", "expected"),
    [
        ({"duration_played": 29.9}, 200.0, True),
        ({"duration_played": 30}, 200.0, False),
        ({"duration_played": 20}, 30.0, False),
        ({"duration_played": 14}, 30.0, True),
        ({"duration_played": 15}, 30.0, False),
        ({"duration_played": 14, "duration": 20}, 200.0, False),
        ({"duration_played": 14, "duration_ms": 28_100}, None, True),
        ({"duration_played": 14}, None, True),
        ({}, 200.0, False),
    ],
)
def test_a_skip_is_shorter_than_30_s_and_than_half_of_the_track(
    info: dict[str, Any], track_s: float | None, expected: bool
) -> None:
    assert is_skip(info, track_s) is expected


CLIP = CatalogueEntry("clip", "Björk", "Jóga", duration_s=30.0)
CORPUS = TrackIndex([CLIP, CatalogueEntry("odd", "Björk", "Hunter")])


def event(track: str, **info: Any) -> Listen:
    return event_of("anna", Play(1_600_000_000, "Björk", track, None, info), CORPUS)


def test_an_event_states_how_much_was_played_and_whether_it_is_a_skip() -> None:
    found = [event("Jóga", ms_played=14_000), event("Jóga", ms_played=16_000), event("Hunter", ms_played=16_000)]
    assert [(each.played_s, each.skipped) for each in found] == [(14.0, True), (16.0, None), (16.0, True)]
    plain = event("Jóga").model_dump(exclude_none=True)
    assert not {"played_s", "skipped"} & plain.keys()


def test_the_length_of_the_track_is_that_of_the_corpus() -> None:
    assert [CORPUS.duration_s(track) for track in ("clip", "odd", "none")] == [30.0, None, None]


def test_a_stored_skip_keeps_its_length_and_is_not_shown() -> None:
    document = document_of(event("Jóga", duration_played=5))
    assert (document["skipped"], document["named"], document["listener"]) == (True, False, "anna")
    assert Listen.model_validate_json(document["event"]).played_s == 5.0
    assert "skipped" not in document_of(event("Jóga", duration_played=50))
