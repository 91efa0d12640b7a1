"""Create events of version 3 from plays: derive the ids from the names, and match the track with the corpus."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.listens.events import Listen, event_id
from segue.listens.matching import Method, TrackIndex
from segue.listens.skips import is_skip, played_s

_MSID_NAMESPACE = uuid.UUID("0f8f5a3a-6c63-5d0c-9a55-51a4f0a3e0c1")

MAX_CLOCK_SKEW_S = 60 * 60
"""How far ahead of this computer's clock a play in an imported export may be."""


@dataclass(frozen=True, slots=True)
class Play:
    """One play as a player describes it; the names are stripped and not empty.

    `dropped` and `claimed_at` are those of :class:`segue.listens.events.Listen`.
    """

    listened_at: int
    artist_name: str
    track_name: str
    release_name: str | None = None
    additional_info: Mapping[str, Any] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    claimed_at: int | None = None

    @property
    def recording_msid(self) -> str:
        """Id derived from the names. The same names give the same UUID, in upper or lower case."""
        return recording_msid(self.artist_name, self.track_name, self.release_name)


def recording_msid(artist: str, track: str, release: str | None) -> str:
    """Derive the id of a recording that is known only by its names, as MessyBrainz does."""
    named = json.dumps([artist.casefold(), track.casefold(), (release or "").casefold()])
    return str(uuid.uuid5(_MSID_NAMESPACE, named))


def event_of(user_name: str, play: Play, index: TrackIndex, *, source: str | None = None) -> Listen:
    """Create the event of a play.

    Parameters
    ----------
    user_name
        The listener.
    play
        The play as the player reported it.
    index
        The catalogue to match with.
    source
        Source of the event; by default, the name that the player gives itself.

    Returns
    -------
    Listen
        Its id depends only on listener, time, artist and title. It does not depend on the album, because players
        spell albums differently. It does not depend on the match, because the match changes when the corpus grows.
        The time is the one that the player reports. If the play is sent again, this time is the same, but the time
        of arrival is not.

        A `track_mbid` is not the id of a recording, but some players send a recording's id as `track_mbid`. It
        becomes the recording's id only if the corpus has a recording with this id.
    """
    info = play.additional_info
    recording_mbid, track_mbid = info.get("recording_mbid"), info.get("track_mbid")
    match = index.match(
        play.artist_name,
        play.track_name,
        recording_mbid=recording_mbid or track_mbid,
        track_id=_text(info.get("segue_track_id")),
    )
    if match is not None and match.method is Method.MBID:
        recording_mbid = recording_mbid or track_mbid
    claimed_at = play.listened_at if play.claimed_at is None else play.claimed_at
    return Listen(
        schema_version=3,
        event_id=event_id(user_name, claimed_at, play.artist_name, play.track_name),
        user_name=user_name,
        track_id=match.track_id if match else None,
        listened_at=play.listened_at,
        source=source or _text(info.get("submission_client") or info.get("media_player")),
        artist_name=play.artist_name,
        track_name=play.track_name,
        release_name=play.release_name,
        recording_msid=play.recording_msid,
        recording_mbid=recording_mbid,
        additional_info=dict(info) or None,
        received_at=time.time(),
        matched_by=match.method.value if match else None,
        match_score=match.score if match else None,
        dropped=dict(play.dropped) or None,
        claimed_at=play.claimed_at,
        played_s=played_s(info),
        skipped=is_skip(info, index.duration_s(match.track_id) if match else None) or None,
    )


def _text(value: object) -> str | None:
    return value[:256] or None if isinstance(value, str) else None
