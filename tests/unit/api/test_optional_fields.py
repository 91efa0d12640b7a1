from __future__ import annotations

import json
from typing import Any

import pytest

from segue.api.optional_fields import MAX_RAW, clean, raw

ONE, TWO = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-9999-aaaaaaaaaaaa"


@pytest.mark.parametrize("key", ["duration", "duration_ms", "duration_played"])
@pytest.mark.parametrize(
    "value", [0, -1, "3:35", "", [], {}, True, float("inf"), float("nan"), 10**12, [215], 0.4]
)
def test_a_duration_that_is_none_is_dropped_and_kept_as_text(key: str, value: Any) -> None:
    usable, dropped = clean({key: value, "media_player": "x"})
    assert usable == {"media_player": "x"}
    assert dropped == ({} if value in ("", [], {}) else {key: raw(value)})


@pytest.mark.parametrize("value", [215, "215", 215.0, "215.9"])
def test_a_duration_in_any_spelling_is_a_number(value: Any) -> None:
    assert clean({"duration": value}) == ({"duration": 215}, {})


def test_of_two_durations_the_finer_one_stays() -> None:
    assert clean({"duration": 215, "duration_ms": 215_400}) == ({"duration_ms": 215_400}, {"duration": "215"})
    assert clean({"duration": 215, "duration_ms": 0}) == ({"duration": 215}, {"duration_ms": "0"})


@pytest.mark.parametrize(
    "value",
    [[ONE, TWO], f"{ONE}/{TWO}", [f"{ONE}/{TWO}"], f"{ONE}; {TWO}", [[ONE], TWO, ""], f"{ONE} {TWO}".upper()],
)
def test_ids_that_are_joined_or_nested_are_taken_apart(value: Any) -> None:
    assert clean({"artist_mbids": value}) == ({"artist_mbids": [ONE, TWO]}, {})


@pytest.mark.parametrize("value", ["123", 5, {"id": ONE}, f"mbid:{ONE}!", [ONE, "x"]])
@pytest.mark.parametrize("key", ["artist_mbids", "recording_mbid", "release_mbid", "track_mbid"])
def test_ids_that_are_none_are_dropped(key: str, value: Any) -> None:
    assert clean({key: value}) == ({}, {key: raw(value)})


def test_several_ids_where_one_is_meant_are_dropped() -> None:
    assert clean({"recording_mbid": f"{ONE}/{TWO}"}) == ({}, {"recording_mbid": f'"{ONE}/{TWO}"'})
    assert clean({"recording_mbid": [ONE]}) == ({"recording_mbid": ONE}, {})


def test_usable_tags_stay_and_all_that_were_sent_are_kept() -> None:
    sent = ["rock", "x" * 65, 5, ""]
    assert clean({"tags": sent}) == ({"tags": ["rock"]}, {"tags": json.dumps(sent, separators=(",", ":"))})
    usable, dropped = clean({"tags": [str(i) for i in range(51)]})
    assert (len(usable["tags"]), list(dropped)) == (50, ["tags"])
    assert clean({"tags": "rock"}) == ({"tags": ["rock"]}, {})
    assert clean({"tags": None}) == ({}, {})


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else "deep"


@pytest.mark.parametrize("value", [nested(17), "a\x00b", {"a\x00": 1}, [float("inf")]])
def test_what_cannot_be_stored_everywhere_is_dropped(value: Any) -> None:
    usable, dropped = clean({"mine": value, "other": nested(10)})
    assert usable == {"other": nested(10)}
    assert "\x00" not in dropped["mine"]


def test_names_of_players_are_texts_and_own_keys_anything() -> None:
    assert clean({"media_player": 5, "mine": 5}) == ({"mine": 5}, {"media_player": "5"})
    assert clean({"a\x00b": 1}) == ({}, {"ab": "1"})


def test_what_is_kept_of_a_dropped_field_is_bounded() -> None:
    assert len(clean({"media_player": ["x" * 100_000]})[1]["media_player"]) == MAX_RAW
