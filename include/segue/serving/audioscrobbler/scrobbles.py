"""Scrobbles: what players say of plays in either of Last.fm's protocols, handed on as ListenBrainz' listens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from segue.serving.audioscrobbler.answers import invalid
from segue.serving.context import Context
from segue.serving.errors import ApiError
from segue.serving.submitting import keep
from segue.serving.validation import ListenType, canonical_uuid, parse_listen
from segue.streaming.plays import Play

MAX_SCROBBLES = 50

Scrobble = Mapping[str, str]
"""The fields of one play, by Last.fm's names for them."""

_FIELD = re.compile(r"(\w+?)(?:\[(\d{1,4})\])?")


def scrobbles_in(parameters: Mapping[str, str]) -> Sequence[Scrobble]:
    """Collect the plays of a batch: ``artist[0]``, ``track[0]``, …, or ``artist``, ``track`` of a single one.

    Raises
    ------
    Refused
        With code 6, for none or more than `MAX_SCROBBLES`.
    """
    found: dict[int, dict[str, str]] = {}
    indexed = any("[" in name for name in parameters)
    for name, value in parameters.items():
        match = _FIELD.fullmatch(name)
        if match and (match[2] is not None) == indexed:
            found.setdefault(int(match[2] or 0), {})[match[1]] = value
    told = [fields for _, fields in sorted(found.items()) if {"artist", "track", "timestamp"} & set(fields)]
    if not told:
        raise invalid("there is no scrobble, which needs artist, track and timestamp.")
    if len(told) > MAX_SCROBBLES:
        raise invalid(f"there are {len(told)} scrobbles, send at most {MAX_SCROBBLES} at once.")
    return told


async def keep_scrobbles(
    request: Request, ctx: Context, user: str, told: Sequence[Scrobble], client: str
) -> list[str | None]:
    """Write those that are plays to Kafka; when this returns, it has them.

    Parameters
    ----------
    request, ctx
        The request and what it works with.
    user
        Whose plays they are.
    told
        What the player said.
    client
        What the player calls itself, or its API key.

    Returns
    -------
    list of str or None
        For each scrobble why it is refused; None for those that were kept.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge; sending them again does no harm.
    """
    plays: list[Play] = []
    reasons: list[str | None] = []
    for scrobble in told:
        try:
            plays.append(parse_listen(_listen(scrobble, client), ListenType.IMPORT))
            reasons.append(None)
        except ApiError as error:
            reasons.append(error.message)
    await keep(request, ctx, user, plays, ListenType.IMPORT)
    return reasons


async def note_playing(ctx: Context, user: str, told: Scrobble, client: str) -> Play:
    """Note what plays now.

    Raises
    ------
    Refused
        With code 6, without artist or title.
    """
    listen = _listen(told, client)
    del listen["listened_at"]
    try:
        play = parse_listen(listen, ListenType.PLAYING_NOW)
    except ApiError as error:
        raise invalid(error.message) from None
    await run_in_threadpool(ctx.playing_now.set, user, play)
    return play


def _listen(told: Scrobble, client: str) -> dict[str, Any]:
    info: dict[str, Any] = {"submission_client": client}
    duration = told.get("duration", "").strip()
    if duration.isascii() and duration.isdigit() and 0 < len(duration) < 8 and int(duration):
        info["duration"] = int(duration)
    mbid = canonical_uuid(told.get("mbid"))
    if mbid:
        info["track_mbid"] = mbid
    for name, key in (("trackNumber", "tracknumber"), ("albumArtist", "release_artist_name")):
        if told.get(name):
            info[key] = told[name]
    metadata = {"artist_name": told.get("artist", ""), "track_name": told.get("track", "")}
    if told.get("album", "").strip():
        metadata["release_name"] = told["album"]
    return {"listened_at": told.get("timestamp"), "track_metadata": {**metadata, "additional_info": info}}
