"""Routes for recommendations: in ListenBrainz's form, in Segue's own form with reasons, and as a stream."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from segue.api import schemas
from segue.api.access import Ctx, Owner, context, is_still
from segue.api.context import Context
from segue.api.errors import ApiError, bad_request
from segue.errors import ModelError
from segue.listens import limits
from segue.recommender.online.serving import Comparing
from segue.recommender.serving.champion import Challenger, Champion
from segue.recommender.serving.lists import Document
from segue.recommender.serving.one_listener import Recommending, msid_of
from segue.recommender.serving.recommend import COUNT, Wishes
from segue.recommender.serving.short_reasons import in_short
from segue.tracks.names import simple

MAX_COUNT = 100
ARTIST_TYPES = ("top", "similar", "raw")

POLL_INTERVAL_S = 0.25
KEEPALIVE_INTERVAL_S = 15.0
CHECK_INTERVAL_S = 5.0
"""How often a stream checks that the user hates no track of the list."""

MAX_STREAMS = 6
"""Largest number of streams of one user at a time: as many connections as a browser opens to one host."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ctx = app.state.context
    champion = Champion(ctx.settings)
    documents, weight = ctx.mongo[ctx.settings.mongo_database], ctx.settings.skip_weight
    app.state.recommending = recommending = Recommending(documents, champion, skip_weight=weight)
    app.state.streams = Counter()
    following = [champion]
    if share := ctx.settings.challenger_share:
        following.append(challenger := Challenger(ctx.settings))
        recommending.replace_by(Comparing(documents, champion, challenger, share, recommending.made).served)
    for each in following:
        each.start()
    yield
    for each in following:
        each.close()


router = APIRouter(tags=["recommendations"], responses=schemas.REFUSALS, lifespan=_lifespan)


def _recommending(request: Request) -> Recommending:
    found: Recommending = request.app.state.recommending
    return found


Source = Annotated[Recommending, Depends(_recommending)]
Count = Annotated[int, Query(description=f"At most {MAX_COUNT}.", ge=0, lt=2**31)]


@router.get(
    "/1/cf/recommendation/user/{user_name}/recording", summary="Recommended recordings, in ListenBrainz's form"
)
async def recordings(
    user: Owner,
    source: Source,
    artist_type: str = "raw",
    count: Count = COUNT,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> Response:
    """Return the latest recommendations. The status is 204 if there are none yet.

    Segue has one ranking, so every `artist_type` returns the same list. Each recording has its MSID, which
    recording-feedback accepts, and Segue's track with the reason.
    """
    if artist_type not in ARTIST_TYPES:
        raise bad_request(f"Invalid artist type: {artist_type}")
    found = await run_in_threadpool(source.stored, user)
    if found is None or not found["items"]:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    items = found["items"][offset : offset + min(count, MAX_COUNT)]
    mbids = await run_in_threadpool(source.recording_mbids, items)
    payload = {
        "mbids": [_recording(item, mbids.get(item["track_id"])) for item in items],
        "entity": "recording",
        "type": artist_type,
        "user_name": user,
        "last_updated": int(found["generated_at"].timestamp()),
        "count": len(items),
        "total_mbid_count": len(found["items"]),
        "offset": offset,
        "model_id": found["model_version"],
    }
    return JSONResponse({"payload": payload})


@router.get("/v1/users/{user_name}/recommendations", summary="Recommendations with their reasons")
async def recommendations(
    user: Owner,
    source: Source,
    ctx: Ctx,
    explain: bool = False,
    discover: Annotated[
        float | None,
        Query(
            ge=0,
            le=1,
            description="Share of tracks that the user has never played. By default, the stored list is returned.",
        ),
    ] = None,
    count: Annotated[int | None, Query(ge=1, le=MAX_COUNT)] = None,
) -> JSONResponse:
    """Return the latest recommendations. With `discover` or `count`, they are ranked again.

    As long as no recommender has been trained, there are none, and `unavailable` says so. Else it is null.
    """
    found = None if discover is not None or count is not None else await run_in_threadpool(source.stored, user)
    if found is None and (why := source.none_yet()):
        return JSONResponse(NONE | {"user_name": user, "unavailable": why})
    if found is None:
        wishes = Wishes(count=count or COUNT, discover=1.0 if discover is None else discover)
        found = await _or_unavailable(source.now, user, wishes)
    loved = await run_in_threadpool(_loved, ctx, user) if explain else ()
    return JSONResponse(_as_json(found, explain=explain, loved=loved))


async def _slot(request: Request, user: Owner) -> AsyncIterator[None]:
    """Count the stream of a request from before its start to its end."""
    streams: Counter[str] = request.app.state.streams
    if streams[user] >= MAX_STREAMS:
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, f"You already have {MAX_STREAMS} of these streams open.")
    streams[user] += 1
    try:
        yield
    finally:
        streams[user] -= 1


@router.get(
    "/v1/users/{user_name}/recommendations/events",
    summary="Stream of the recommendations as they change",
    dependencies=[Depends(_slot)],
)
async def events(request: Request, user: Owner, source: Source) -> StreamingResponse:
    """Send the recommendations now and after every change, as server-sent events.

    The stream ends when the token becomes invalid.
    """
    return StreamingResponse(
        _changes(request, user, source),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _changes(request: Request, user: str, source: Recommending) -> AsyncIterator[str]:
    seen: Any = None
    sent: Document | None = None
    written_s = checked_s = time.monotonic()
    while not await request.is_disconnected() and not context(request).stopping.is_set():
        if not await is_still(request, user):
            return
        if check := time.monotonic() - checked_s > CHECK_INTERVAL_S:
            checked_s = time.monotonic()
        newest = await run_in_threadpool(source.newest, user)
        if newest is not None and (check or newest != seen):
            found = await run_in_threadpool(source.stored, user)
            if found is not None and found != sent:
                seen, sent, written_s = found["generated_at"], found, time.monotonic()
                loved = await run_in_threadpool(_loved, context(request), user)
                yield f"event: recommendations\ndata: {json.dumps(_as_json(found, explain=True, loved=loved))}\n\n"
        if time.monotonic() - written_s > KEEPALIVE_INTERVAL_S:
            written_s = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(POLL_INTERVAL_S)


async def _or_unavailable(ask: Any, *arguments: Any) -> Any:
    try:
        return await run_in_threadpool(ask, *arguments)
    except ModelError as error:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error


def _recording(item: Document, recording_mbid: str | None) -> Document:
    names = {name: item.get(name) or "" for name in ("artist", "title")}
    return {
        "recording_mbid": recording_mbid,
        "recording_msid": msid_of(item),
        "score": item["score"],
        "latest_listened_at": None,
        "segue": {"track_id": item["track_id"], **names, "reason": item.get("reason")},
    }


REASONS = ("reason", "because", "others", "popularity", "sounds_like", "sounds_like_title")


NONE: Final[Document] = {"model_version": None, "generated_at": None, "count": 0, "items": []}


def _loved(ctx: Context, user: str) -> set[str]:
    """Return the artists of the recordings that a user loves, as `in_short` compares them."""
    _, found = ctx.feedback.of_user(user, 1, limits.MAX_ITEMS_PER_GET, 0)
    return {simple(each.artist_name) for each in found if each.artist_name}


def _as_json(found: Document, *, explain: bool, loved: Collection[str] = ()) -> Document:
    items = [{k: v for k, v in item.items() if explain or k not in REASONS} for item in found["items"]]
    if explain:
        items = [item | {"short_reason": in_short(item, loved)} for item in items]
    return {
        "user_name": found["_id"],
        "model_version": found["model_version"],
        "generated_at": found["generated_at"].isoformat(),
        "count": len(items),
        "items": items,
        "unavailable": None,
    }
