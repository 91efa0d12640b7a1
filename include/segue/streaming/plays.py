"""From what a player says of a play to the event of version 2: ids made of names, and the corpus' track."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.streaming.events import Listen, event_id
from segue.streaming.matching import TrackIndex

_MSID_NAMESPACE = uuid.UUID("0f8f5a3a-6c63-5d0c-9a55-51a4f0a3e0c1")

MAX_CLOCK_SKEW_S = 60 * 60
"""How far ahead a player's clock may be."""


@dataclass(frozen=True, slots=True)
class Play:
    """One play as a player describes it; the names are stripped and not empty."""

    listened_at: int
    artist_name: str
    track_name: str
    release_name: str | None = None
    additional_info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recording_msid(self) -> str:
        """Id of the recording as named: the same names, whatever their case, give the same UUID."""
        return recording_msid(self.artist_name, self.track_name, self.release_name)


def recording_msid(artist: str, track: str, release: str | None) -> str:
    """Make the id that stands for a recording of which only names are known, as MessyBrainz does."""
    named = json.dumps([artist.casefold(), track.casefold(), (release or "").casefold()])
    return str(uuid.uuid5(_MSID_NAMESPACE, named))


def event_of(user_name: str, play: Play, index: TrackIndex, *, source: str | None = None) -> Listen:
    """Make the event of a play.

    Parameters
    ----------
    user_name
        Whose play it is.
    play
        What the player said.
    index
        The catalogue to match with.
    source
        Where it came from; default what the player calls itself.

    Returns
    -------
    Listen
        Its id depends on listener, time, artist and title only: neither on the album, which players spell
        differently, nor on the match, which changes when the corpus grows.
    """
    info = play.additional_info
    mbid = info.get("recording_mbid") or info.get("track_mbid")
    match = index.match(
        play.artist_name, play.track_name, recording_mbid=mbid, track_id=_text(info.get("segue_track_id"))
    )
    return Listen(
        schema_version=2,
        event_id=event_id(user_name, play.listened_at, play.artist_name, play.track_name),
        user_name=user_name,
        track_id=match.track_id if match else None,
        listened_at=play.listened_at,
        source=source or _text(info.get("submission_client") or info.get("media_player")),
        artist_name=play.artist_name,
        track_name=play.track_name,
        release_name=play.release_name,
        recording_msid=play.recording_msid,
        recording_mbid=mbid,
        additional_info=dict(info) or None,
        received_at=time.time(),
        matched_by=match.method.value if match else None,
        match_score=match.score if match else None,
    )


def _text(value: object) -> str | None:
    return value[:256] or None if isinstance(value, str) else None
