"""What a submission may hold, and how it is written down."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from segue.api import errors, schemas
from segue.api.errors import ApiError, BadListenError
from segue.api.submitting import message_of
from segue.api.validation import ListenType, Submission, parse_submission
from segue.listens.matching import TrackIndex
from segue.listens.plays import Play

NOW = int(time.time())
METADATA = {"artist_name": "Björk", "track_name": "Jóga"}


def body(*metadata: dict[str, Any], kind: str = "import") -> bytes:
    times = {} if kind == "playing_now" else {"listened_at": NOW}
    payload = [times | {"track_metadata": METADATA | each} for each in metadata]
    return json.dumps({"listen_type": kind, "payload": payload}).encode()


def only(submission: Submission) -> Play:
    [play] = submission.plays.values()
    assert submission.refused == []
    return play


@pytest.mark.parametrize("key", ["artist_name", "track_name"])
def test_a_name_longer_than_a_listen_is_refused_and_costs_no_other(key: str) -> None:
    submission = parse_submission(body({}, {key: "x" * 10_241}, {key: "x" * 10_240}))
    assert list(submission.plays) == [0, 2]
    [refused] = submission.refused
    assert (refused.index, f"track_metadata.{key} is too long" in refused.error) == (1, True)
    assert len(refused.listen) <= 1_000


@pytest.mark.parametrize("album", ["x" * 10_241, 5, ["Homogenic"], {"title": "Homogenic"}, "a\x00b"])
def test_an_album_that_cannot_be_one_is_dropped(album: Any) -> None:
    play = only(parse_submission(body({"release_name": album})))
    assert (play.release_name, list(play.dropped)) == (None, ["release_name"])


@pytest.mark.parametrize("album", [None, "", "  "])
def test_no_album_in_any_spelling_is_no_album(album: str | None) -> None:
    play = only(parse_submission(body({"release_name": album})))
    assert (play.release_name, play.dropped) == (None, {})


@pytest.mark.parametrize("kind", ListenType)
@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_json_cannot_write_is_dropped(kind: str, number: str) -> None:
    text = body({"additional_info": {"a": [{"b": "here"}], "c": 1}}, kind=kind)
    play = only(parse_submission(text.replace(b'"here"', number.encode())))
    assert play.additional_info == {"c": 1}
    assert "b" in play.dropped["a"]


@pytest.mark.parametrize("info", [[1], "x", 5, True])
def test_additional_info_that_is_no_object_is_dropped(info: Any) -> None:
    play = only(parse_submission(body({"additional_info": info})))
    assert (play.additional_info, play.dropped) == ({}, {"additional_info": json.dumps(info)})


def test_keys_that_nobody_knows_are_kept_beside_the_listen() -> None:
    listen = {"listened_at": NOW, "user_name": "x", "track_metadata": METADATA | {"mbid_mapping": {"a": 1}}}
    play = only(parse_submission(json.dumps({"listen_type": "single", "payload": [listen]}).encode()))
    assert play.dropped == {"user_name": '"x"', "mbid_mapping": '{"a":1}'}


def test_names_that_are_numbers_or_end_as_in_c_are_names() -> None:
    play = only(parse_submission(body({"track_name": 1979, "artist_name": "Björk\x00\x00"})))
    assert (play.artist_name, play.track_name, list(play.dropped)) == ("Björk", "1979", ["artist_name"])
    large = 10**400  # larger than a float
    assert only(parse_submission(body({"track_name": large, "artist_name": "Björk"}))).track_name == str(large)


def test_half_a_character_costs_a_question_mark_and_not_the_batch() -> None:
    cut = body({}, {"track_name": "here"}).replace(b"here", b"Smile \\ud83d")
    plays = parse_submission(cut).plays
    assert [play.track_name for play in plays.values()] == ["Jóga", "Smile ?"]


def test_a_byte_order_mark_is_no_error() -> None:
    assert only(parse_submission(b"\xef\xbb\xbf" + body({})))


@pytest.mark.parametrize("text", [b"[" * 1_000 + b"]" * 1_000, b'{"a":' * 1_000 + b"1" + b"}" * 1_000])
@pytest.mark.parametrize("end", [b"", b"\\ud83d"])
def test_a_body_nested_a_thousand_deep_is_refused(text: bytes, end: bytes) -> None:
    with pytest.raises(ApiError, match="Cannot parse JSON document"):
        parse_submission(text + end)


def test_several_singles_are_as_good_as_an_import() -> None:
    assert len(parse_submission(body({}, {}, kind="single")).plays) == 2


def test_ids_are_written_as_everybody_writes_them() -> None:
    mbid = uuid.uuid4()
    odd = "-" * 300 + mbid.hex.upper()
    play = only(parse_submission(body({"additional_info": {"recording_mbid": odd, "artist_mbids": [odd, ""]}})))
    assert play.additional_info == {"recording_mbid": str(mbid), "artist_mbids": [str(mbid)]}


def test_what_the_event_cannot_hold_is_refused() -> None:
    with pytest.raises(BadListenError, match="cannot be stored: artist_name"):
        message_of("anna", Play(NOW, "x" * 11_000, "Jóga"), TrackIndex([]))


def test_a_listen_that_is_too_large_for_kafka_goes_without_its_additional_info() -> None:
    play = only(parse_submission(body({"additional_info": {"x": "y" * 1_500_000}})))
    event, (_, value) = message_of("anna", play, TrackIndex([]))
    assert event.additional_info is None
    assert (event.dropped or {})["additional_info"].startswith('{"x":"yyy')
    assert len(value) < 50_000


def test_all_that_the_description_allows_is_taken() -> None:
    for said in ({"release_name": None}, {"additional_info": {"duration_ms": None}}, {"additional_info": None}):
        schemas.TrackMetadata.model_validate(METADATA | said)
        assert only(parse_submission(body(said))).dropped == {}
    described = schemas.SubmittedListen.model_json_schema()
    assert described["required"] == ["track_metadata"]
    assert "default" not in described["properties"]["listened_at"]


def test_an_unexpected_error_has_the_form_of_all_errors() -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/")
    def broken() -> None:
        raise RuntimeError("a bug")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
