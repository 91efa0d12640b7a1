"""Validate a submission and extract its plays.

If ListenBrainz has an error message for a case, Segue uses the same message. Segue refuses less: it accepts a
listen with artist, title and a readable time, whatever else is wrong with it. A bad listen does not affect the
other listens of its request.
"""

from __future__ import annotations

import codecs
import json
import math
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import from_json

from segue.api import listen_times, optional_fields
from segue.api.errors import BadListenError, bad_request
from segue.api.optional_fields import raw
from segue.listens import limits
from segue.listens.events import MAX_TEXT
from segue.listens.plays import Play

_LISTEN = frozenset({"listened_at", "track_metadata"})
_METADATA = frozenset({"artist_name", "track_name", "release_name", "additional_info"})


class ListenType(StrEnum):
    """The kind of a submission."""

    SINGLE = "single"
    PLAYING_NOW = "playing_now"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class RefusedListen:
    """A listen that is refused.

    Parameters
    ----------
    index
        Its position in the payload, from 0.
    error
        Why it is refused.
    listen
        The beginning of the listen, as JSON text.
    """

    index: int
    error: str
    listen: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """The validated body of submit-listens.

    Parameters
    ----------
    listen_type
    plays
        The accepted listens, by their position in the payload, from 0.
    refused
        The refused listens.
    """

    listen_type: ListenType
    plays: dict[int, Play] = field(default_factory=dict)
    refused: list[RefusedListen] = field(default_factory=list)


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a body that must be a JSON object.

    Raises
    ------
    ApiError
        400, if the body is no JSON object.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        document = _parse(body)
    except ValueError as error:
        raise bad_request(f"Cannot parse JSON document: {error}") from None
    if not isinstance(document, dict):
        raise bad_request("Invalid JSON document submitted. Top level of JSON document should be a json object.")
    return document


def _parse(body: bytes) -> Any:
    try:
        return from_json(body)  # accepts NaN, which is not JSON: clients in Python send it for unknown values
    except ValueError:
        if b"\\ud" not in body.lower():
            raise
    # A lone surrogate: a player written in JavaScript has cut a name inside a character. "?" replaces it.
    try:
        whole = json.dumps(json.loads(body), ensure_ascii=False).encode(errors="replace")
    except RecursionError:
        raise ValueError("recursion limit exceeded") from None
    return from_json(whole)


def parse_submission(body: bytes) -> Submission:
    """Validate the body of submit-listens.

    Parameters
    ----------
    body
        JSON.

    Returns
    -------
    Submission
        It has at least one listen, accepted or refused. If it is `playing_now`, it has exactly one. A play of
        `playing_now` has time 0.

    Raises
    ------
    ApiError
        400, if the body has no listens or too many, or is malformed.
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
    if not isinstance(kind, str) or kind not in set(ListenType):
        raise bad_request("JSON document requires a valid listen_type key.")
    if kind == ListenType.PLAYING_NOW and len(payload) > 1:
        raise bad_request("JSON document contains more than one listen for playing_now. Send only one.")
    return check_listens(payload, ListenType(kind))


def check_listens(payload: list[Any], listen_type: ListenType) -> Submission:
    """Validate each listen of a payload separately.

    Parameters
    ----------
    payload
        Listens as parsed JSON.
    listen_type

    Returns
    -------
    Submission
    """
    submission = Submission(listen_type)
    arrived_at = int(time.time())
    for index, listen in enumerate(payload):
        try:
            submission.plays[index] = _play(listen, submission.listen_type, arrived_at)
        except BadListenError as error:
            submission.refused.append(RefusedListen(index, str(error), raw(listen)[:1000]))
    return submission


def _play(listen: Any, listen_type: ListenType, arrived_at: int) -> Play:
    """Validate one listen and return its play.

    Raises
    ------
    BadListenError
        If it is refused; the message is for the player.
    """
    if not isinstance(listen, dict):
        raise BadListenError("Listen is empty and cannot be validated.")
    metadata = listen.get("track_metadata")
    if metadata is None and "track_metadata" in listen:
        raise BadListenError("JSON document may not have track_metadata with null value.")
    if metadata is None:
        raise BadListenError("JSON document must contain the key track_metadata at the top level.")
    if not isinstance(metadata, dict):
        raise BadListenError("track_metadata must be a json object.")
    listened_at, claimed_at = 0, None
    if listen_type is not ListenType.PLAYING_NOW:
        if "listened_at" not in listen:
            raise BadListenError("JSON document must contain the key listened_at at the top level.")
        listened_at, claimed_at = listen_times.listened_at(listen["listened_at"], arrived_at)
    dropped: dict[str, str] = {}
    artist_name, track_name = (_name(metadata, key, dropped) for key in ("artist_name", "track_name"))
    release_name = _release_name(metadata, dropped)
    for sent, known in ((listen, _LISTEN), (metadata, _METADATA)):
        dropped |= {key.replace("\x00", ""): raw(sent[key]) for key in sent.keys() - known}
    info = metadata.get("additional_info") or {}
    if not isinstance(info, dict):
        dropped["additional_info"], info = raw(info), {}
    usable, unusable = optional_fields.clean(info)
    return Play(listened_at, artist_name, track_name, release_name, usable, unusable | dropped, claimed_at)


def _name(metadata: dict[str, Any], key: str, dropped: dict[str, str]) -> str:
    if key not in metadata:
        raise BadListenError(f"JSON document does not contain required field track_metadata.{key}.")
    sent = metadata[key]
    if type(sent) is int or (type(sent) is float and math.isfinite(sent)):
        sent = str(sent)  # "1979" is a title
    if not isinstance(sent, str):
        raise BadListenError(f"track_metadata.{key} must be a single string.")
    name = sent.replace("\x00", "").strip()  # players written in C may send the terminator of a string
    if not name:
        raise BadListenError(f"field track_metadata.{key} is empty.")
    if len(name) > MAX_TEXT:
        raise BadListenError(f"track_metadata.{key} is too long: at most {MAX_TEXT} characters are taken.")
    if "\x00" in sent:
        dropped[key] = raw(sent)
    return name


def _release_name(metadata: dict[str, Any], dropped: dict[str, str]) -> str | None:
    sent = metadata.get("release_name")
    if sent is None or sent == "":
        return None
    name = sent.strip() if isinstance(sent, str) else ""
    if len(name) > MAX_TEXT or "\x00" in name or not isinstance(sent, str):
        dropped["release_name"] = raw(sent)
        return None
    return name or None
