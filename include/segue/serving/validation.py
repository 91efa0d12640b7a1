"""Check a submission as ListenBrainz does, in its order and with its words, and take the plays out of it."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from pydantic_core import from_json

from segue.serving import limits
from segue.serving.errors import bad_request
from segue.streaming.events import MAX_TEXT
from segue.streaming.plays import MAX_CLOCK_SKEW_S, Play

_MBID = ("release_mbid", "recording_mbid", "release_group_mbid", "track_mbid")
_MBIDS = ("artist_mbids", "work_mbids")
_MAX_DEPTH = 16


class ListenType(StrEnum):
    """What a submission is."""

    SINGLE = "single"
    PLAYING_NOW = "playing_now"
    IMPORT = "import"


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a body that must be one JSON object.

    Raises
    ------
    ApiError
        400, if it is not.
    """
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise bad_request(f"Cannot parse JSON document: {error}") from None
    if not isinstance(document, dict):
        raise bad_request("Invalid JSON document submitted. Top level of JSON document should be a json object.")
    return document


def parse_submission(body: bytes) -> tuple[ListenType, list[Play]]:
    """Check the body of submit-listens.

    Parameters
    ----------
    body
        JSON, as it came.

    Returns
    -------
    ListenType, list of Play
        At least one play, exactly one unless it is an import. Those of `playing_now` have time 0.

    Raises
    ------
    ApiError
        400, with the sentence that ListenBrainz has for it. One invalid listen refuses the whole request.
    """
    document = parse_object(body)
    payload, kind = document.get("payload"), document.get("listen_type")
    if "payload" not in document or "listen_type" not in document:
        raise bad_request("Invalid JSON document submitted.")
    if not isinstance(payload, list):
        raise bad_request("The payload in the JSON document should be a list of listens.")
    if not payload:
        raise bad_request("JSON document does not contain any listens")
    if len(payload) > limits.MAX_LISTENS_PER_REQUEST:
        raise bad_request(
            f"Too many listens. You may not submit more than {limits.MAX_LISTENS_PER_REQUEST} listens at once."
        )
    if len(body) > len(payload) * limits.MAX_LISTEN_BYTES:
        raise bad_request(
            f"JSON document is too large. Each listens may not be larger than {limits.MAX_LISTEN_BYTES} bytes."
        )
    if not isinstance(kind, str) or kind not in set(ListenType):
        raise bad_request("JSON document requires a valid listen_type key.")
    listen_type = ListenType(kind)
    if listen_type is not ListenType.IMPORT and len(payload) > 1:
        raise bad_request(
            "JSON document contains more than listen for a single/playing_now. It should contain only one."
        )
    return listen_type, [parse_listen(listen, listen_type) for listen in payload]


def parse_listen(listen: Any, listen_type: ListenType) -> Play:
    """Check one listen of a submission.

    Raises
    ------
    ApiError
        400, with the sentence that ListenBrainz has for it.
    """
    latest = int(time.time()) + MAX_CLOCK_SKEW_S
    if not isinstance(listen, dict):
        raise bad_request("Listen is empty and cannot be validated.")
    if listen_type is ListenType.PLAYING_NOW:
        if "listened_at" in listen:
            raise bad_request("JSON document must not contain listened_at while submitting playing_now.")
        listened_at, allowed = 0, "track_metadata as top level key when submitting playing_now."
    else:
        listened_at = _listened_at(listen, latest)
        allowed = "listened_at and track_metadata top level keys"
    if "track_metadata" not in listen:
        raise bad_request("JSON document must contain the key track_metadata at the top level.")
    if len(listen) > (1 if listen_type is ListenType.PLAYING_NOW else 2):
        raise bad_request(f"JSON document may only contain {allowed}")
    metadata = listen["track_metadata"]
    if metadata is None:
        raise bad_request("JSON document may not have track_metadata with null value.")
    if not isinstance(metadata, dict):
        raise bad_request("track_metadata must be a json object.")
    track_name = _name(metadata, "track_name", required=True)
    artist_name = _name(metadata, "artist_name", required=True)
    release_name = _name(metadata, "release_name", required=False)
    info = metadata.get("additional_info") or {}
    if not isinstance(info, dict):
        raise bad_request("track_metadata.additional_info must be a json object.")
    _check_additional_info(info)
    for text in _texts(metadata):
        if "\x00" in text:
            raise bad_request("A field contains a unicode null")
    return Play(listened_at, artist_name or "", track_name or "", release_name, info)


def _listened_at(listen: dict[str, Any], latest: int) -> int:
    if "listened_at" not in listen:
        raise bad_request("JSON document must contain the key listened_at at the top level.")
    try:
        listened_at = int(listen["listened_at"])
    except (ValueError, TypeError, OverflowError):
        raise bad_request("JSON document must contain an int value for listened_at.") from None
    if listened_at >= latest:
        raise bad_request("Value for key listened_at is too high.")
    if listened_at < limits.MIN_LISTENED_AT:
        raise bad_request(
            "Value for key listened_at is too low. listened_at timestamp should be greater than "
            f"{limits.MIN_LISTENED_AT} (2002-10-01 00:00:00 UTC)."
        )
    return listened_at


def _name(metadata: dict[str, Any], key: str, *, required: bool) -> str | None:
    if key not in metadata:
        if required:
            raise bad_request(f"JSON document does not contain required field track_metadata.{key}.")
        return None
    if not isinstance(metadata[key], str):
        raise bad_request(f"track_metadata.{key} must be a single string.")
    name: str = metadata[key].strip()
    if not name and required:
        raise bad_request(f"field track_metadata.{key} is empty.")
    if len(name) > MAX_TEXT:
        raise bad_request(f"track_metadata.{key} is too long: at most {MAX_TEXT} characters are taken.")
    return name or None


def _check_additional_info(info: dict[str, Any]) -> None:
    """Bring into order in place: durations become integers, ids have one spelling, empty ones disappear."""
    tags = info.get("tags") or []
    if not isinstance(tags, list):
        raise bad_request("track_metadata.additional_info.tags must be a list.")
    if len(tags) > limits.MAX_TAGS_PER_LISTEN:
        raise bad_request(
            f"JSON document may not contain more than {limits.MAX_TAGS_PER_LISTEN} items in "
            "track_metadata.additional_info.tags."
        )
    if any(not isinstance(tag, str) or len(tag) > limits.MAX_TAG_LENGTH for tag in tags):
        raise bad_request(
            "JSON document may not contain track_metadata.additional_info.tags "
            f"longer than {limits.MAX_TAG_LENGTH} characters."
        )
    if "duration" in info and "duration_ms" in info:
        raise bad_request("JSON document should not contain both duration and duration_ms.")
    for key, longest in (("duration", limits.MAX_DURATION_S), ("duration_ms", limits.MAX_DURATION_S * 1000)):
        if key in info:
            info[key] = _duration(key, info[key], longest)
    for key in _MBID:
        if not info.get(key):
            info.pop(key, None)
        elif (mbid := canonical_uuid(info[key])) is None:
            raise bad_request(f"{key} MBID format invalid.")
        else:
            info[key] = mbid
    for key in _MBIDS:
        if not info.get(key):
            info.pop(key, None)
        elif not isinstance(info[key], list):
            raise bad_request(f"{key} MBID format invalid.")
        else:
            mbids = [canonical_uuid(mbid) for mbid in info[key] if mbid]
            if None in mbids:
                raise bad_request(f"{key} MBID format invalid.")
            info[key] = mbids


def _duration(key: str, value: Any, longest: int) -> int:
    try:
        duration = int(float(value))
    except (ValueError, TypeError, OverflowError):
        duration = 0
    if duration <= 0:
        raise bad_request(f"Value for {key} is invalid, should be a positive integer.")
    if duration > longest:
        raise bad_request(f"Value for {key} is too large, max permitted value is {longest}")
    return duration


def canonical_uuid(value: Any) -> str | None:
    """Write a UUID, in whatever spelling it comes, with small letters and four hyphens; None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return None


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Walk all keys and strings of a JSON value, which must be one that can be written again."""
    if depth > _MAX_DEPTH:
        raise bad_request(f"JSON document is nested more than {_MAX_DEPTH} levels deep.")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):  # 1e999 is JSON, and infinity is none
        raise bad_request("A field contains a number that is not a finite number.")
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
