from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from segue.listens.events import Listen, event_id, listen, reason
from segue.listens.matching import CatalogueEntry, TrackIndex
from segue.listens.plays import Play, event_of
from segue.settings import PROJECT_DIR

V1 = '{"schema_version":1,"event_id":"e","user_name":"u","track_id":"t","listened_at":3,"source":null}'
V2 = {"schema_version": 2, "event_id": "e", "user_name": "u", "listened_at": 3}
NAMES = {"artist_name": "Björk", "track_name": "Jóga"}
NOTHING = TrackIndex([])


def test_published_json_schema_is_the_schema() -> None:
    published = json.loads((PROJECT_DIR / "docs" / "listen.schema.json").read_text())
    assert published == Listen.model_json_schema(), (
        "The schema of listening events has changed. Old events must stay readable; if they do, write the new "
        "schema (Listen.model_json_schema()) to docs/listen.schema.json."
    )


def test_events_of_version_1_are_still_read() -> None:
    old = Listen.model_validate_json(V1)
    assert (old.schema_version, old.track_id, old.track_name) == (1, "t", None)
    assert Listen.model_validate_json(listen("u", "t", 3).model_dump_json()) == listen("u", "t", 3)


def test_events_of_version_2_are_still_read() -> None:
    old = Listen.model_validate_json(json.dumps(V2 | NAMES))
    assert (old.schema_version, old.dropped, old.claimed_at) == (2, None, None)


def test_ids_of_version_1_have_not_changed() -> None:
    assert event_id("u", 3, "t") == listen("u", "t", 3).event_id == "e08fd7a8eb3617928ae2f4a59bee8740"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (V1.replace('"schema_version":1', '"schema_version":4'), "schema_version: literal_error"),
        (V1.replace('"track_id":"t",', ""), "value_error"),
        (json.dumps(V2), "value_error"),
        (json.dumps(V2 | {"artist_name": "a"}), "value_error"),
        (json.dumps(V2 | NAMES | {"listened_at": "3"}), "listened_at: int_type"),
        (json.dumps(V2 | NAMES | {"listened_at": -1}), "listened_at: greater_than_equal"),
        (json.dumps(V2 | NAMES | {"track_name": "a\x00b"}), "track_name: string_pattern_mismatch"),
        ("", "json_invalid"),
        ("[]", "model_type"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(text: str, error: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Listen.model_validate_json(text)
    assert reason(refusal.value) == error


def test_event_id_follows_from_listener_time_and_names_alone() -> None:
    grown = TrackIndex([CatalogueEntry("t", "Björk", "Jóga")])
    first = event_of("u", Play(3, "Björk", "Jóga"), NOTHING)
    again = event_of("u", Play(3, "Björk", "Jóga", "Homogenic", {"media_player": "x"}), grown)
    assert first.event_id == again.event_id
    assert (first.track_id, again.track_id) == (None, "t")
    others = [
        ("v", 3, "Björk", "Jóga"),
        ("u", 4, "Björk", "Jóga"),
        ("u", 3, "Bjork", "Jóga"),
        ("u", 3, "B", "jörk"),
    ]
    assert first.event_id not in {event_of(u, Play(t, a, n), NOTHING).event_id for u, t, a, n in others}


def test_a_clock_that_is_ahead_gives_the_same_event_however_often_it_is_sent() -> None:
    first = event_of("u", Play(1_000, "Björk", "Jóga", claimed_at=8_200), NOTHING)
    again = event_of("u", Play(1_060, "Björk", "Jóga", claimed_at=8_200), NOTHING)
    later = event_of("u", Play(8_200, "Björk", "Jóga"), NOTHING)
    assert first.event_id == again.event_id == later.event_id
    assert (first.listened_at, first.claimed_at) == (1_000, 8_200)


def test_a_tracks_mbid_is_a_recordings_only_where_the_corpus_knows_it_as_one() -> None:
    mbid = "98255a8c-017a-4bc7-8dd6-1fa36124572b"
    corpus = TrackIndex([CatalogueEntry("t", "Björk", "Jóga"), CatalogueEntry("r", "Björk", "Hunter", mbid)])

    def told(**info: str) -> tuple[str | None, str | None]:
        event = event_of("u", Play(3, "Björk", "Jóga", None, info), corpus)
        return event.recording_mbid, event.track_id

    assert told(track_mbid=mbid) == (mbid, "r")
    assert told(track_mbid=mbid.replace("9", "8")) == (None, "t")
    assert told(recording_mbid=mbid.replace("9", "8"), track_mbid=mbid) == (mbid.replace("9", "8"), "t")


def test_recording_msid_ignores_case_but_not_the_album() -> None:
    def msid(*names: Any) -> str:
        return Play(0, *names).recording_msid

    assert msid("Björk", "Jóga") == msid("BJÖRK", "jóga")
    assert msid("Björk", "Jóga") != msid("Björk", "Jóga", "Homogenic")


def test_event_survives_its_json() -> None:
    info = {"duration_ms": 1, "a.b": {"$gt": [1, None, "x"]}, "huge": 10**30}
    event = event_of("u", Play(3, "Björk", "Jóga", None, info), NOTHING)
    assert Listen.model_validate_json(event.model_dump_json(exclude_none=True)) == event
