"""Request bodies and responses in the OpenAPI description.

`segue.api.validation` checks the requests, with ListenBrainz's error messages. It is more tolerant than the
description: a listen whose optional fields are wrong is accepted without these fields.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from segue.listens import limits
from segue.listens.events import MAX_TEXT


class AdditionalInfo(BaseModel):
    """Further details of a play. Other keys are stored too."""

    model_config = ConfigDict(extra="allow")

    recording_mbid: UUID | None = None
    release_mbid: UUID | None = None
    artist_mbids: list[UUID] | None = None
    tags: list[str] | None = Field(None, max_length=limits.MAX_TAGS_PER_LISTEN)
    duration_ms: int | None = Field(None, gt=0, le=limits.MAX_DURATION_S * 1000)
    media_player: str | None = None
    submission_client: str | None = None
    segue_track_id: str | None = Field(None, description="Segue's id of the track, if the player knows it.")


class TrackMetadata(BaseModel):
    """What was played."""

    artist_name: str = Field(min_length=1, max_length=MAX_TEXT)
    track_name: str = Field(min_length=1, max_length=MAX_TEXT)
    release_name: str | None = Field(None, max_length=MAX_TEXT)
    additional_info: AdditionalInfo | None = None


class SubmittedListen(BaseModel):
    """One play."""

    listened_at: int = Field(
        default_factory=int,
        ge=limits.MIN_LISTENED_AT,
        description="When the play began, in seconds since 1970-01-01 UTC. Omit it for `playing_now`. "
        "Milliseconds are recognised. A time up to 24 hours in the future is replaced by the time of arrival.",
        examples=[1_763_900_000],
    )
    track_metadata: TrackMetadata


class SubmitListens(BaseModel):
    """Body of submit-listens."""

    listen_type: Literal["single", "playing_now", "import"]
    payload: list[SubmittedListen] = Field(min_length=1, max_length=limits.MAX_LISTENS_PER_REQUEST)


class DeletedListen(BaseModel):
    """Body of delete-listen."""

    listened_at: int
    recording_msid: UUID


class LatestImport(BaseModel):
    """Body of latest-import."""

    ts: int
    service: str = "lastfm"


class RecordingFeedback(BaseModel):
    """Body of recording-feedback. One of the two ids is required."""

    recording_mbid: UUID | None = None
    recording_msid: UUID | None = None
    score: Literal[-1, 0, 1]


class Error(BaseModel):
    """Response to a request that is refused."""

    code: int
    error: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The request is wrong; `error` says why."},
    401: {"model": Error, "description": "The token is missing or invalid."},
    403: {"model": Error, "description": "The resource belongs to another user."},
    404: {"model": Error, "description": "The user or the resource does not exist."},
    408: {"model": Error, "description": "The body took too long to arrive."},
    429: {"model": Error, "description": "Too many requests. The X-RateLimit headers say when to continue."},
    503: {
        "model": Error,
        "description": "Kafka or MongoDB is unavailable, or the user submits too fast. Send the request again "
        "after the seconds in `Retry-After`.",
    },
}


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """Describe the JSON body of a route for OpenAPI."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
        }
    }
