"""Bodies and answers as the OpenAPI description shows them.

Requests are checked by ``validation``, which has ListenBrainz's words for what is wrong. It also takes listens
whose optional fields are not as they are described here, without these fields.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from segue.listens import limits
from segue.listens.events import MAX_TEXT


class AdditionalInfo(BaseModel):
    """What a player tells besides the names; any further keys are kept."""

    model_config = ConfigDict(extra="allow")

    recording_mbid: UUID | None = None
    release_mbid: UUID | None = None
    artist_mbids: list[UUID] | None = None
    tags: list[str] | None = Field(None, max_length=limits.MAX_TAGS_PER_LISTEN)
    duration_ms: int | None = Field(None, gt=0, le=limits.MAX_DURATION_S * 1000)
    media_player: str | None = None
    submission_client: str | None = None
    segue_track_id: str | None = Field(None, description="Segue's own id of the track, if the player knows it.")


class TrackMetadata(BaseModel):
    """What was played."""

    artist_name: str = Field(min_length=1, max_length=MAX_TEXT)
    track_name: str = Field(min_length=1, max_length=MAX_TEXT)
    release_name: str | None = Field(None, max_length=MAX_TEXT)
    additional_info: AdditionalInfo | None = None


class SubmittedListen(BaseModel):
    """One play; without its time in ``playing_now``."""

    listened_at: int = Field(
        default_factory=int,
        ge=limits.MIN_LISTENED_AT,
        description="When the play began, in seconds since 1970-01-01 UTC; not in playing_now. Milliseconds are "
        "recognised. A time up to 24 hours ahead is stored as the time of arrival.",
        examples=[1_763_900_000],
    )
    track_metadata: TrackMetadata


class Submission(BaseModel):
    """The body of submit-listens."""

    listen_type: Literal["single", "playing_now", "import"]
    payload: list[SubmittedListen] = Field(min_length=1, max_length=limits.MAX_LISTENS_PER_REQUEST)


class DeletedListen(BaseModel):
    """The body of delete-listen."""

    listened_at: int
    recording_msid: UUID


class LatestImport(BaseModel):
    """The body of latest-import."""

    ts: int
    service: str = "lastfm"


class RecordingFeedback(BaseModel):
    """The body of recording-feedback; one of the two ids is needed."""

    recording_mbid: UUID | None = None
    recording_msid: UUID | None = None
    score: Literal[-1, 0, 1]


class Error(BaseModel):
    """What every refusal answers."""

    code: int
    error: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The request cannot be understood; the sentence says why."},
    401: {"model": Error, "description": "No token, or none that is valid."},
    403: {"model": Error, "description": "Another user's."},
    404: {"model": Error, "description": "No such user."},
    408: {"model": Error, "description": "The body took too long."},
    429: {"model": Error, "description": "Too many requests; the X-RateLimit headers say when to go on."},
    503: {
        "model": Error,
        "description": "Kafka or MongoDB is away, or a user submits too fast: send it again after `Retry-After`.",
    },
}


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a JSON body for OpenAPI."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
        }
    }
