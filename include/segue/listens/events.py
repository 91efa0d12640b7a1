"""The listening event: its schema and its id."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]

MAX_TEXT = 10_240
"""Largest number of characters of a name that a player sends."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]

MAX_EVENT_BYTES = 1_000_000
"""Largest size of an event: Kafka accepts messages of 1 MiB, envelope included."""


SIMULATED = "simulated"
"""Source of the events of simulated listeners."""

SIMULATED_NAMES = "sim-"
"""Beginning of the names of simulated listeners."""


class Listen(BaseModel):
    """One play of one track by one listener.

    - Version 1 identifies the track by its id in the corpus.
    - Version 2 adds what the player sent about the track. The track id is null if the corpus has no such track.
    - Version 3 adds what the player sent and Segue could not use: `dropped` and `claimed_at`. Since November 2026
      it also has `played_s` and `skipped`. They are absent if the player does not state how much was played.

    Unknown fields are ignored. An event of an unknown version is refused.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1, 2, 3] = Field(3, description="Version of this schema.")
    event_id: Name = Field(
        description="The same for the same listener, time and track, so a repeated message counts once."
    )
    user_name: Name
    track_id: Name | None = Field(None, description="The track of the corpus, if the listen matches one.")
    listened_at: Annotated[int, Field(strict=True, ge=0, le=253_402_300_799)] = Field(
        description="When the play began, in seconds since 1970-01-01 UTC."
    )
    source: Name | None = Field(
        None, description='The player that sent the event; "simulated" for simulated listeners.'
    )
    artist_name: Text | None = Field(None, description="Artist, as the player sent it; version 2.")
    track_name: Text | None = Field(None, description="Title, as the player sent it; version 2.")
    release_name: Text | None = Field(None, description="Album, as the player sent it; version 2.")
    recording_msid: Name | None = Field(
        None, description="Id derived from the names, as in ListenBrainz; version 2."
    )
    recording_mbid: Name | None = Field(
        None, description="MusicBrainz recording id, if the player sent one; version 2."
    )
    additional_info: dict[str, Any] | None = Field(
        None, description="Further fields that the player sent; version 2."
    )
    received_at: float | None = Field(
        None, ge=0, description="When Segue received the event, in seconds since 1970; version 2."
    )
    matched_by: Literal["id", "mbid", "name", "fuzzy"] | None = Field(
        None, description="How `track_id` was found; version 2."
    )
    match_score: float | None = Field(
        None, ge=0, le=100, description="Similarity of a fuzzy match, 0 to 100; version 2."
    )

    dropped: dict[str, str] | None = Field(
        None, description="Unusable fields by name, with the value that the player sent as JSON text; version 3."
    )
    claimed_at: Annotated[int, Field(strict=True, ge=0, le=253_402_300_799)] | None = Field(
        None,
        description="The player's time of the play, if it was later than `received_at`; version 3. The event's id "
        "is derived from it.",
    )
    played_s: float | None = Field(None, ge=0, description="How many seconds were played; version 3.")
    skipped: bool | None = Field(
        None, description="True if too little was played for a play, see `segue.listens.skips`; version 3."
    )

    @model_validator(mode="after")
    def _says_what_was_played(self) -> Self:
        if self.track_id is None and (self.schema_version == 1 or not (self.artist_name and self.track_name)):
            raise ValueError("neither a track id nor, from version 2 on, artist and title")
        return self


def message(event: Listen) -> tuple[bytes, bytes]:
    """Return the key and the value of an event's Kafka message.

    Raises
    ------
    ValueError
        If the event is too large for Kafka. Sending it again would not help.
    """
    value = event.model_dump_json(exclude_none=True).encode()
    if len(value) > MAX_EVENT_BYTES:
        raise ValueError(f"larger than {MAX_EVENT_BYTES} bytes")
    return event.user_name.encode(), value


def event_id(user_name: str, listened_at: int, *track: str) -> str:
    """Derive the id of an event from the listener, the time and the track.

    Parameters
    ----------
    user_name
    listened_at
        In seconds since 1970.
    *track
        The id of the track, or artist and title as the player sent them.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    identity = json.dumps([user_name, listened_at, *track]).encode()
    return hashlib.blake2b(identity, digest_size=16).hexdigest()


def listen(user_name: str, track_id: str, listened_at: int, source: str | None = None) -> Listen:
    """Create an event of version 1. Its id depends only on its content, so sending it twice does no harm."""
    return Listen(
        schema_version=1,
        event_id=event_id(user_name, listened_at, track_id),
        user_name=user_name,
        track_id=track_id,
        listened_at=listened_at,
        source=source,
    )


def reason(error: ValidationError) -> str:
    """Describe the error of a malformed message in one short line. Errors of the same kind have the same line."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['type']}" if field else str(first["type"])
