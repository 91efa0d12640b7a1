"""Routes that accept listens: submit-listens, validate-token, and deletions."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from segue.api import errors, metrics, schemas
from segue.api.access import Body, Ctx, User, header_token, plain_token, user_of
from segue.api.context import Context
from segue.api.errors import BadListenError, bad_request
from segue.api.optional_fields import KNOWN, canonical_uuid, raw
from segue.api.validation import ListenType, RefusedListen, Submission, parse_object, parse_submission
from segue.listens.events import Listen, message, reason
from segue.listens.matching import TrackIndex
from segue.listens.plays import Play, event_of
from segue.listens.removals import event_key, listen_key
from segue.listens.store import received_until
from segue.listens.writer import NotWritten, Record

router = APIRouter(prefix="/1", tags=["listens"], responses=schemas.REFUSALS)

LARGE_BODY_BYTES = 32_768
"""A larger body is processed in a thread, so that it does not block other requests."""

OK = b'{"status":"ok"}'

NAMED_FIELDS = KNOWN | {"additional_info", "artist_name", "release_name", "track_name"}
"""Names of dropped fields that the metrics show; all others count as "other"."""

log = logging.getLogger(__name__)


def ok() -> Response:
    """Return ListenBrainz's response to a request that has succeeded."""
    return Response(OK, media_type="application/json")


@router.get("/validate-token", summary="Check a token")
async def validate_token(request: Request, token: str = "") -> JSONResponse:
    """Return in ``valid`` whether a token is valid. The status is 200 in either case."""
    given = header_token(request) or plain_token(token)
    user_name = await user_of(request, given or None)
    if not given:
        raise bad_request("You need to provide an Authorization token.")
    if user_name is None:
        return JSONResponse({"code": 200, "message": "Token invalid.", "valid": False})
    return JSONResponse({"code": 200, "message": "Token valid.", "valid": True, "user_name": user_name})


@router.post("/submit-listens", summary="Submit listens", openapi_extra=schemas.takes(schemas.SubmitListens))
async def submit_listens(request: Request, user: User, body: Body, ctx: Ctx, return_msid: str = "") -> Response:
    """Accept listens. The status 200 means that all replicas of Kafka have every accepted listen.

    ``refused`` in the response lists the other listens, each with its index in the payload and the reason. If
    every listen is refused, the status is 400.
    """
    large = len(body) > LARGE_BODY_BYTES
    async with ctx.processing.slot(len(body)):
        submission = await run_in_threadpool(parse_submission, body) if large else parse_submission(body)
        events = await keep(request, ctx, user, submission, large=large)
    if not events:
        return _all_refused(submission)
    if submission.refused:
        return JSONResponse({"status": "ok", "refused": _refused(submission)})
    if return_msid and len(events) == 1:
        return JSONResponse({"status": "ok", "recording_msid": events[0].recording_msid})
    return ok()


async def keep(
    request: Request, ctx: Context, user: str, submission: Submission, *, large: bool = False
) -> list[Listen]:
    """Store the accepted listens of a submission. When this returns, all replicas of Kafka have them.

    Parameters
    ----------
    request
        The request. Its line in the access log shows the number of listens.
    ctx, user
        The context of the API, and the user.
    submission
        A listen that turns out to be too large is added to its refused listens.
    large
        Whether to create the events in a thread.

    Returns
    -------
    list of Listen
        The events of the accepted listens.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge them. Sending them again does no harm.
    """
    if large:
        events, records = await run_in_threadpool(_records, ctx, user, submission)
    else:
        events, records = _records(ctx, user, submission)
    if records and submission.listen_type is ListenType.PLAYING_NOW:
        await run_in_threadpool(ctx.playing_now.set, events[0])
    elif records:
        metrics.PENDING.set(ctx.writer.pending)
        try:
            await ctx.writer.write(ctx.settings.listens_topic, records)
        except NotWritten:
            metrics.NOT_WRITTEN.inc(len(records))
            raise
        _count(submission.listen_type, events)
        request.state.listens = len(records)
    if submission.refused:
        await run_in_threadpool(_note_refused, ctx, user, submission)
    return events


def _records(ctx: Context, user: str, submission: Submission) -> tuple[list[Listen], list[Record]]:
    """Create the events of the plays, and their Kafka records."""
    index = ctx.catalogue.index
    events, records = [], []
    for place, play in submission.plays.items():
        try:
            event, record = message_of(user, play, index)
        except BadListenError as error:
            names = f"{play.artist_name[:200]}: {play.track_name[:200]}"
            submission.refused.append(RefusedListen(place, str(error), names))
        else:
            events.append(event)
            records.append(record)
    return events, records


def message_of(user: str, play: Play, index: TrackIndex) -> tuple[Listen, Record]:
    """Create the event of a play, and its Kafka record.

    If the record is too large for Kafka, ``additional_info`` is left out.

    Raises
    ------
    BadListenError
        If the play can never be written to Kafka.
    """
    try:
        event = event_of(user, play, index)
    except ValidationError as error:
        raise BadListenError(f"A listen cannot be stored: {reason(error)}") from None
    try:
        return event, message(event)
    except ValueError:
        kept = {"additional_info": raw(event.additional_info)}
        event = event.model_copy(update={"additional_info": None, "dropped": kept})
        return event, message(event)


def _count(listen_type: ListenType, events: Iterable[Listen]) -> None:
    for event in events:
        metrics.LISTENS.labels(listen_type.value, event.matched_by or "none").inc()
        for name in event.dropped or ():
            metrics.FIELDS_DROPPED.labels(name if name in NAMED_FIELDS else "other").inc()


def _note_refused(ctx: Context, user: str, submission: Submission) -> None:
    """Store refused listens for the user's page.

    A failure is only logged, because Kafka already has the accepted listens.
    """
    metrics.REFUSED.inc(len(submission.refused))
    try:
        ctx.refused.add(user, submission.refused)
    except PyMongoError as error:
        log.warning(
            "MongoDB: %d refused listens will be missing on the user's page: %s", len(submission.refused), error
        )


def _refused(submission: Submission) -> list[dict[str, object]]:
    return [{"index": each.index, "error": each.error} for each in submission.refused]


def _all_refused(submission: Submission) -> Response:
    first, count = submission.refused[0].error, len(submission.refused)
    sentence = first if count == 1 else f"None of the {count} listens can be accepted. The first: {first}"
    return errors.error_response(400, sentence, more={"refused": _refused(submission)})


@router.post("/playing-now/delete", summary="Clear what is playing now")
async def delete_playing_now(user: User, ctx: Ctx) -> JSONResponse:
    """Clear what the user is playing now."""
    await run_in_threadpool(ctx.playing_now.clear, user)
    return JSONResponse({"status": "ok", "message": "Playing now cleared successfully"})


@router.post("/delete-listen", summary="Delete a listen", openapi_extra=schemas.takes(schemas.DeletedListen))
async def delete_listen(user: User, body: Body, ctx: Ctx) -> Response:
    """Delete a listen. It disappears at once from what users see, and from the lake with its next run."""
    document = parse_object(body)
    if "listened_at" not in document:
        raise bad_request("Listen timestamp missing.")
    listened_at = document["listened_at"]
    if not isinstance(listened_at, int) or not 0 <= listened_at < 2**53:
        raise bad_request(f"{str(listened_at)[:100]}: Listen timestamp invalid.")
    if document.get("recording_msid") is None:
        raise bad_request("Recording MSID missing.")
    msid = canonical_uuid(document["recording_msid"])
    if msid is None:
        raise bad_request(f"{str(document['recording_msid'])[:100]}: Recording MSID format invalid.")
    events = await run_in_threadpool(ctx.store.events, user, listened_at, msid)
    keys = [listen_key(user, listened_at, msid), *(event_key(event.event_id) for event in events)]
    await run_in_threadpool(ctx.removals.add, *keys, not_before=received_until(events))
    await run_in_threadpool(ctx.store.remove, user, listened_at, msid)
    return ok()
