"""Listens in: submit-listens and what a player asks around it."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from segue.serving import metrics, schemas
from segue.serving.access import Body, Ctx, User, header_token, user_of
from segue.serving.context import Context
from segue.serving.errors import bad_request
from segue.serving.validation import ListenType, canonical_uuid, parse_object, parse_submission
from segue.streaming.events import message, reason
from segue.streaming.matching import TrackIndex
from segue.streaming.plays import Play, event_of
from segue.streaming.removals import event_key, listen_key
from segue.streaming.writer import NotWritten, Record

router = APIRouter(prefix="/1", tags=["listens"], responses=schemas.REFUSALS)

LARGE_BODY_BYTES = 32_768
"""A larger body is worked on beside the event loop, so that others need not wait for it."""

OK = b'{"status":"ok"}'


def ok() -> Response:
    """Answer as ListenBrainz does."""
    return Response(OK, media_type="application/json")


@router.get("/validate-token", summary="Is this token valid?")
async def validate_token(request: Request, token: str = "") -> JSONResponse:
    """Answer 200 in either case; ``valid`` says which."""
    given = header_token(request) or token
    user_name = await user_of(request, given or None)
    if not given:
        raise bad_request("You need to provide an Authorization token.")
    if user_name is None:
        return JSONResponse({"code": 200, "message": "Token invalid.", "valid": False})
    return JSONResponse({"code": 200, "message": "Token valid.", "valid": True, "user_name": user_name})


@router.post("/submit-listens", summary="Submit listens", openapi_extra=schemas.takes(schemas.Submission))
async def submit_listens(request: Request, user: User, body: Body, ctx: Ctx, return_msid: str = "") -> Response:
    """Take listens; 200 means that Kafka has every one of them, on all replicas."""
    if len(body) > LARGE_BODY_BYTES:
        listen_type, plays = await run_in_threadpool(parse_submission, body)
    else:
        listen_type, plays = parse_submission(body)
    if listen_type is ListenType.PLAYING_NOW:
        await run_in_threadpool(ctx.playing_now.set, user, plays[0])
        if return_msid:
            return JSONResponse({"status": "ok", "recording_msid": plays[0].recording_msid})
        return ok()
    await keep(request, ctx, user, plays, listen_type, large=len(body) > LARGE_BODY_BYTES)
    return ok()


async def keep(
    request: Request, ctx: Context, user: str, plays: list[Play], listen_type: ListenType, *, large: bool = False
) -> None:
    """Write plays to Kafka; when this returns, it has every one of them.

    Parameters
    ----------
    request
        Whose access log tells how many listens came.
    ctx, user
        Where, and whose they are.
    plays, listen_type
        What `parse_submission` returns.
    large
        Whether the records are made beside the event loop.

    Raises
    ------
    ApiError
        400, for what cannot be written to Kafka however often it is sent.
    NotWritten
        If Kafka does not acknowledge; sending them again does no harm.
    """
    if large:
        records, found = await run_in_threadpool(_records, ctx, user, plays)
    else:
        records, found = _records(ctx, user, plays)
    metrics.PENDING.set(ctx.writer.pending)
    try:
        await ctx.writer.write(ctx.settings.listens_topic, records)
    except NotWritten:
        metrics.NOT_WRITTEN.inc(len(records))
        raise
    for how, count in found.items():
        metrics.LISTENS.labels(listen_type.value, how).inc(count)
    request.state.listens = len(records)


def _records(ctx: Context, user: str, plays: list[Play]) -> tuple[list[Record], Counter[str]]:
    """Make the Kafka records of plays, and count how they were matched."""
    index = ctx.catalogue.index
    made = [message_of(user, play, index) for play in plays]
    return [record for record, _ in made], Counter(how for _, how in made)


def message_of(user: str, play: Play, index: TrackIndex) -> tuple[Record, str]:
    """Make the Kafka record of a play, and tell how it was matched.

    Raises
    ------
    ApiError
        400, for what cannot be written to Kafka however often it is sent.
    """
    try:
        event = event_of(user, play, index)
        return message(event), event.matched_by or "none"
    except ValidationError as error:
        raise bad_request(f"A listen cannot be kept: {reason(error)}") from None
    except ValueError as error:
        raise bad_request(f"A listen cannot be kept: {error}") from None


@router.post("/playing-now/delete", summary="Nothing plays any more")
async def delete_playing_now(user: User, ctx: Ctx) -> JSONResponse:
    """Clear what plays."""
    await run_in_threadpool(ctx.playing_now.clear, user)
    return JSONResponse({"status": "ok", "message": "Playing now cleared successfully"})


@router.post("/delete-listen", summary="Delete a listen", openapi_extra=schemas.takes(schemas.DeletedListen))
async def delete_listen(user: User, body: Body, ctx: Ctx) -> Response:
    """Delete a listen from what is shown at once, and from the lake at its next run."""
    document = parse_object(body)
    if "listened_at" not in document:
        raise bad_request("Listen timestamp missing.")
    listened_at = document["listened_at"]
    if not isinstance(listened_at, int) or not 0 <= listened_at < 2**53:
        raise bad_request(f"{listened_at}: Listen timestamp invalid.")
    if document.get("recording_msid") is None:
        raise bad_request("Recording MSID missing.")
    msid = canonical_uuid(document["recording_msid"])
    if msid is None:
        raise bad_request(f"{document['recording_msid']}: Recording MSID format invalid.")
    events = await run_in_threadpool(ctx.store.ids, user, listened_at, msid)
    keys = [listen_key(user, listened_at, msid), *map(event_key, events)]
    await run_in_threadpool(ctx.removals.add, *keys)
    await run_in_threadpool(ctx.store.remove, user, listened_at, msid)
    await run_in_threadpool(ctx.histories.remove, user, listened_at, msid)
    return ok()
