"""Love and hate: recording-feedback."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from segue.serving import limits, schemas
from segue.serving.access import Body, Ctx, Owner, User
from segue.serving.context import Context
from segue.serving.errors import bad_request
from segue.serving.feedback_store import Feedback
from segue.serving.submitting import ok
from segue.serving.validation import canonical_uuid, parse_object

router = APIRouter(prefix="/1/feedback", tags=["feedback"], responses=schemas.REFUSALS)

KEYS = frozenset({"recording_msid", "recording_mbid", "score"})


@router.post("/recording-feedback", summary="Love or hate", openapi_extra=schemas.takes(schemas.RecordingFeedback))
async def recording_feedback(user: User, body: Body, ctx: Ctx) -> Response:
    """Say what the user thinks of a recording; a score of 0 takes it back. 200 means that Kafka has it."""
    await keep(ctx, _feedback(user, body))
    return ok()


async def keep(ctx: Context, feedback: Feedback) -> None:
    """Write an opinion to Kafka, then to the store.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge.
    """
    record = (feedback.user_name.encode(), feedback.model_dump_json(exclude_none=True).encode())
    await ctx.writer.write(ctx.settings.feedback_topic, [record])
    await run_in_threadpool(ctx.feedback.put, feedback)


@router.get("/user/{user_name}/get-feedback", summary="What a user loves and hates")
async def get_feedback(
    user: Owner,
    ctx: Ctx,
    score: int | None = None,
    count: Annotated[int, Query(ge=0, lt=2**31)] = limits.DEFAULT_ITEMS_PER_GET,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> JSONResponse:
    """Read feedback, the newest first."""
    if score not in (None, -1, 0, 1):
        raise bad_request("Score can have a value of 1 or -1.")
    count = min(count, limits.MAX_ITEMS_PER_GET)
    total, found = await run_in_threadpool(ctx.feedback.of_user, user, score, count, offset)
    items = [
        {
            "created": int(feedback.created),
            "recording_mbid": feedback.recording_mbid,
            "recording_msid": feedback.recording_msid,
            "score": feedback.score,
            "user_id": user,
        }
        for feedback in found
    ]
    return JSONResponse({"feedback": items, "count": len(items), "total_count": total, "offset": offset})


def _feedback(user: str, body: bytes) -> Feedback:
    document = parse_object(body)
    given = {key: document[key] for key in ("recording_mbid", "recording_msid") if document.get(key) is not None}
    if not given or "score" not in document:
        raise bad_request(
            "JSON document must contain either recording_msid or recording_mbid, and score top level keys"
        )
    if set(document) - KEYS:
        raise bad_request("JSON document may only contain recording_msid, recording_mbid and score top level keys")
    ids = {key: canonical_uuid(recording) for key, recording in given.items()}
    if None in ids.values():
        raise bad_request("Invalid JSON document submitted: not a valid UUID")
    score = document["score"]
    if type(score) is not int or score not in (-1, 0, 1):
        raise bad_request("Invalid JSON document submitted: Score can have a value of 1, 0 or -1.")
    return Feedback(user_name=user, score=score, **ids)
