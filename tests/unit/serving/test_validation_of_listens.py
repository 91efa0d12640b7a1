"""What a submission may hold, and how it is written down."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError

from segue.serving import errors, schemas
from segue.serving.errors import ApiError
from segue.serving.submitting import message_of
from segue.serving.validation import ListenType, parse_submission
from segue.streaming.matching import TrackIndex
from segue.streaming.plays import Play

NOW = int(time.time())
METADATA = {"artist_name": "Björk", "track_name": "Jóga"}


def body(*metadata: dict[str, Any], kind: str = "import") -> bytes:
    times = {} if kind == "playing_now" else {"listened_at": NOW}
    payload = [times | {"track_metadata": METADATA | each} for each in metadata]
    return json.dumps({"listen_type": kind, "payload": payload}).encode()


@pytest.mark.parametrize("key", ["artist_name", "track_name", "release_name"])
def test_a_name_longer_than_a_listen_is_refused_also_beside_a_short_listen(key: str) -> None:
    with pytest.raises(ApiError, match=rf"track_metadata\.{key} is too long"):
        parse_submission(body({}, {key: "x" * 11_000}))
    assert len(parse_submission(body({}, {key: "x" * 10_240}))[1]) == 2


@pytest.mark.parametrize("kind", ListenType)
@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_json_cannot_write_is_refused(kind: str, number: str) -> None:
    text = body({"additional_info": {"a": [{"b": "here"}]}}, kind=kind).replace(b'"here"', number.encode())
    with pytest.raises(ApiError, match="not a finite number"):
        parse_submission(text)


def test_ids_are_written_as_everybody_writes_them() -> None:
    mbid = uuid.uuid4()
    odd = "-" * 300 + mbid.hex.upper()
    [play] = parse_submission(body({"additional_info": {"recording_mbid": odd, "artist_mbids": [odd, ""]}}))[1]
    assert play.additional_info == {"recording_mbid": str(mbid), "artist_mbids": [str(mbid)]}


def test_what_the_event_cannot_hold_and_what_kafka_does_not_take_is_refused() -> None:
    index = TrackIndex([])
    with pytest.raises(ApiError, match="cannot be kept: artist_name"):
        message_of("anna", Play(NOW, "x" * 11_000, "Jóga"), index)
    [_, play] = parse_submission(body(*[{}] * 200, {"additional_info": {"x": "y" * 1_500_000}}))[1][-2:]
    with pytest.raises(ApiError, match="larger than 1000000 bytes"):
        message_of("anna", play, index)


def test_the_description_allows_no_null_that_is_refused() -> None:
    for wrong in ({"release_name": None}, {"additional_info": {"duration_ms": None}}):
        with pytest.raises(ApiError):
            parse_submission(body(wrong))
        with pytest.raises(ValidationError):
            schemas.TrackMetadata.model_validate(METADATA | wrong)
    described = schemas.SubmittedListen.model_json_schema()
    assert described["required"] == ["track_metadata"]
    assert "default" not in described["properties"]["listened_at"]


def test_an_error_that_nobody_has_thought_of_is_told_as_all_are() -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/")
    def broken() -> None:
        raise RuntimeError("a bug")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
