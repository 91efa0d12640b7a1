"""Scrobbles: what players say of plays in either of Last.fm's protocols, handed on as ListenBrainz' listens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from segue.api.audioscrobbler.answers import invalid
from segue.api.context import Context
from segue.api.submitting import keep
from segue.api.validation import ListenType, check_listens

MAX_SCROBBLES = 50

Scrobble = Mapping[str, str]
"""The fields of one play, by Last.fm's names for them."""

FEW = 10
"""More are worked on beside the event loop, so that others need not wait for it."""

_INFO = {
    "duration": "duration",
    "mbid": "track_mbid",
    "trackNumber": "tracknumber",
    "albumArtist": "release_artist_name",
}

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
) -> Sequence[str | None]:
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
    submission = check_listens([_listen(scrobble, client) for scrobble in told], ListenType.IMPORT)
    await keep(request, ctx, user, submission, large=len(told) > FEW)
    reasons = {refused.index: refused.error for refused in submission.refused}
    return [reasons.get(index) for index in range(len(told))]


async def note_playing(request: Request, ctx: Context, user: str, told: Scrobble, client: str) -> None:
    """Note what plays now.

    Raises
    ------
    Refused
        With code 6, without artist or title.
    """
    submission = check_listens([_listen(told, client)], ListenType.PLAYING_NOW)
    await keep(request, ctx, user, submission)
    if submission.refused:
        raise invalid(submission.refused[0].error)


def _listen(told: Scrobble, client: str) -> dict[str, Any]:
    info = {key: told[name] for name, key in _INFO.items() if told.get(name)}
    metadata = {
        "artist_name": told.get("artist", ""),
        "track_name": told.get("track", ""),
        "release_name": told.get("album"),
        "additional_info": {**info, "submission_client": client},
    }
    return {"listened_at": told.get("timestamp"), "track_metadata": metadata}
