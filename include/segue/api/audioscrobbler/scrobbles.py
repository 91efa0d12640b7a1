"""Convert scrobbles, the plays of Last.fm's two protocols, to ListenBrainz's listens, and store them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from segue.api.audioscrobbler.responses import invalid
from segue.api.context import Context
from segue.api.submitting import keep
from segue.api.validation import ListenType, check_listens

MAX_SCROBBLES = 50

Scrobble = Mapping[str, str]
"""The fields of one play, by their names in Last.fm's protocol."""

FEW = 10
"""More scrobbles than this are processed in a thread, so that they do not block other requests."""

_INFO = {
    "duration": "duration",
    "mbid": "track_mbid",
    "trackNumber": "tracknumber",
    "albumArtist": "release_artist_name",
}

_FIELD = re.compile(r"(\w+?)(?:\[(\d{1,4})\])?")


def scrobbles_in(parameters: Mapping[str, str]) -> Sequence[Scrobble]:
    """Return the scrobbles of a batch (``artist[0]``, ``track[0]``, …), or a single one (``artist``, ``track``).

    Raises
    ------
    LastfmError
        Code 6, if there are none, or more than `MAX_SCROBBLES`.
    """
    found: dict[int, dict[str, str]] = {}
    indexed = any("[" in name for name in parameters)
    for name, value in parameters.items():
        match = _FIELD.fullmatch(name)
        if match and (match[2] is not None) == indexed:
            found.setdefault(int(match[2] or 0), {})[match[1]] = value
    sent = [fields for _, fields in sorted(found.items()) if {"artist", "track", "timestamp"} & set(fields)]
    if not sent:
        raise invalid("there is no scrobble, which needs artist, track and timestamp.")
    if len(sent) > MAX_SCROBBLES:
        raise invalid(f"there are {len(sent)} scrobbles; send at most {MAX_SCROBBLES} at once.")
    return sent


async def keep_scrobbles(
    request: Request, ctx: Context, user: str, sent: Sequence[Scrobble], client: str
) -> Sequence[str | None]:
    """Store the valid scrobbles. When this returns, Kafka has them.

    Parameters
    ----------
    request, ctx
        The request, and the context of the API.
    user
        The user.
    sent
        The scrobbles.
    client
        Name of the player.

    Returns
    -------
    list of str or None
        For each scrobble, the reason why it was refused, or None if it was stored.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge them. Sending them again does no harm.
    """
    submission = check_listens([_listen(scrobble, client) for scrobble in sent], ListenType.IMPORT)
    await keep(request, ctx, user, submission, large=len(sent) > FEW)
    reasons = {refused.index: refused.error for refused in submission.refused}
    return [reasons.get(index) for index in range(len(sent))]


async def note_playing(request: Request, ctx: Context, user: str, sent: Scrobble, client: str) -> None:
    """Store what is playing now.

    Raises
    ------
    LastfmError
        Code 6, if artist or title is missing.
    """
    submission = check_listens([_listen(sent, client)], ListenType.PLAYING_NOW)
    await keep(request, ctx, user, submission)
    if submission.refused:
        raise invalid(submission.refused[0].error)


def _listen(sent: Scrobble, client: str) -> dict[str, Any]:
    info = {key: sent[name] for name, key in _INFO.items() if sent.get(name)}
    metadata = {
        "artist_name": sent.get("artist", ""),
        "track_name": sent.get("track", ""),
        "release_name": sent.get("album"),
        "additional_info": {**info, "submission_client": client},
    }
    return {"listened_at": sent.get("timestamp"), "track_metadata": metadata}
