"""Routes for feedback: which recordings a user loves and hates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from segue.api import schemas
from segue.api.access import Body, Ctx, Reader, User
from segue.api.context import Context
from segue.api.errors import bad_request
from segue.api.optional_fields import canonical_uuid
from segue.api.recording_names import names_of
from segue.api.submitting import ok
from segue.api.validation import parse_object
from segue.listens import limits
from segue.listens.feedback import Feedback
from segue.listens.plays import Play

router = APIRouter(prefix="/1/feedback", tags=["feedback"], responses=schemas.REFUSALS)

NAMES = ("artist_name", "track_name", "release_name")

Metadata = Annotated[bool, Query(description="Whether each row contains `track_metadata`, with the names.")]

Recordings = Annotated[str, Query(description="Ids separated by commas.")]


@router.post(
    "/recording-feedback",
    summary="Love or hate a recording",
    openapi_extra=schemas.takes(schemas.RecordingFeedback),
)
async def recording_feedback(user: User, body: Body, ctx: Ctx) -> Response:
    """Store that the user loves (1) or hates (-1) a recording, or withdraw it (0).

    The status 200 means that Kafka has acknowledged it.
    """
    await keep(ctx, _feedback(user, body))
    return ok()


async def keep(ctx: Context, feedback: Feedback) -> None:
    """Write feedback to Kafka, then to the store, with the names if they are known.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge.
    """
    user, search = feedback.user_name, feedback.score != 0
    [feedback] = await run_in_threadpool(_named, ctx, user, [feedback], search_listens=search)
    record = (user.encode(), feedback.model_dump_json(exclude_none=True).encode())
    await ctx.writer.write(ctx.settings.feedback_topic, [record])
    await run_in_threadpool(ctx.feedback.put, feedback)


@router.get("/user/{user_name}/get-feedback", summary="Feedback of a user")
async def get_feedback(
    user: Reader,
    ctx: Ctx,
    score: int | None = None,
    count: Annotated[int, Query(ge=0, lt=2**31)] = limits.DEFAULT_ITEMS_PER_GET,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    metadata: Metadata = False,
) -> JSONResponse:
    """Return feedback, newest first; all of it, or of one score."""
    if score not in (None, -1, 0, 1):
        raise bad_request("Score can have a value of 1 or -1.")
    count = min(count, limits.MAX_ITEMS_PER_GET)
    total, found = await run_in_threadpool(ctx.feedback.of_user, user, score, count, offset)
    items = await run_in_threadpool(_rows, ctx, user, found, metadata)
    return JSONResponse({"feedback": items, "count": len(items), "total_count": total, "offset": offset})


@router.get("/user/{user_name}/get-feedback-for-recordings", summary="Feedback of a user for given recordings")
async def get_feedback_for_recordings(
    user: Reader, ctx: Ctx, recording_msids: Recordings = "", recording_mbids: Recordings = ""
) -> JSONResponse:
    """Return the feedback for each requested id. The score is 0 if the user has given none."""
    asked = [
        (name, given.strip())
        for name, listed in (("recording_msid", recording_msids), ("recording_mbid", recording_mbids))
        for given in listed.split(",")
        if given.strip()
    ]
    if not 0 < len(asked) <= limits.MAX_ITEMS_PER_GET:
        raise bad_request(
            f"Request 1 to {limits.MAX_ITEMS_PER_GET} recordings, in recording_msids or recording_mbids."
        )
    if any(canonical_uuid(given) is None for _, given in asked):
        raise bad_request("Invalid recordings: not a valid UUID")
    found = await run_in_threadpool(
        ctx.feedback.of_recordings, user, {str(canonical_uuid(given)) for _, given in asked}
    )
    said = {known: _row(user, feedback) for feedback in found for known in feedback.ids}
    nothing = {"created": None, "recording_mbid": None, "recording_msid": None, "score": 0, "user_id": user}
    rows = [said.get(str(canonical_uuid(given))) or nothing | {name: given} for name, given in asked]
    return JSONResponse({"feedback": rows})


def _rows(ctx: Context, user: str, found: Sequence[Feedback], metadata: bool) -> list[dict[str, Any]]:
    if not metadata:
        return [_row(user, feedback) for feedback in found]
    old = {feedback.key for feedback in found if feedback.schema_version == 1}
    named = _named(ctx, user, found, search_listens=bool(old))
    ctx.feedback.name(feedback for feedback in named if feedback.key in old)
    rows = []
    for feedback in named:
        row, names = _row(user, feedback), None
        if feedback.artist_name and feedback.track_name:
            play = Play(0, feedback.artist_name, feedback.track_name, feedback.release_name)
            names = {name: getattr(feedback, name) for name in NAMES}
            row["recording_msid"] = row["recording_msid"] or play.recording_msid
        rows.append(row | {"track_metadata": names})
    return rows


def _named(ctx: Context, user: str, said: Sequence[Feedback], *, search_listens: bool) -> list[Feedback]:
    """Add the missing names that can be found."""
    unnamed = {known for feedback in said if not feedback.track_name for known in feedback.ids}
    plays = names_of(ctx, user, unnamed, search_listens=search_listens)
    named = []
    for feedback in said:
        play = next((plays[known] for known in feedback.ids if known in plays), None)
        names = {name: getattr(play, name) for name in NAMES} if play and not feedback.track_name else {}
        named.append(feedback.model_copy(update={"schema_version": 2, **names}))
    return named


def _row(user: str, feedback: Feedback) -> dict[str, Any]:
    return {
        "created": int(feedback.created),
        "recording_mbid": feedback.recording_mbid,
        "recording_msid": feedback.recording_msid,
        "score": feedback.score,
        "user_id": user,
    }


def _feedback(user: str, body: bytes) -> Feedback:
    document = parse_object(body)
    given = {key: document[key] for key in ("recording_mbid", "recording_msid") if document.get(key)}
    if not given or "score" not in document:
        raise bad_request(
            "JSON document must contain either recording_msid or recording_mbid, and score top level keys"
        )
    ids = {key: canonical_uuid(recording) for key, recording in given.items()}
    if not any(ids.values()):
        raise bad_request("Invalid JSON document submitted: not a valid UUID")
    score = document["score"]
    if type(score) is not int or score not in (-1, 0, 1):
        raise bad_request("Invalid JSON document submitted: Score can have a value of 1, 0 or -1.")
    return Feedback(user_name=user, score=score, **ids)
