"""Recommendations out: in ListenBrainz's form, in Segue's own with reasons, and a page that updates by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse

from segue.api import schemas
from segue.api.access import Ctx, Owner, User, context, header_token
from segue.api.errors import ApiError, bad_request, not_found
from segue.errors import ModelError
from segue.recommender.serving.champion import Champion
from segue.recommender.serving.lists import Document
from segue.recommender.serving.one_listener import Recommending, msid_of
from segue.recommender.serving.recommend import COUNT, Wishes

MAX_COUNT = 100
ARTIST_TYPES = ("top", "similar", "raw")

LOOK_EVERY_S = 0.25
COMMENT_EVERY_S = 15.0
CHECK_EVERY_S = 5.0
"""How often a stream asks whether its token still holds, and whether something of the list is hated by now."""

MAX_STREAMS = 6
"""Of one user at a time: as many connections as a browser opens to one host."""

PAGE = Path(__file__).with_name("listener.html")
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; media-src blob:"
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ctx = app.state.context
    champion = Champion(ctx.settings)
    app.state.recommending = Recommending(ctx.mongo[ctx.settings.mongo_database], champion)
    app.state.streams = Counter()
    champion.start()
    yield
    champion.close()


router = APIRouter(tags=["recommendations"], responses=schemas.REFUSALS, lifespan=_lifespan)


def _recommending(request: Request) -> Recommending:
    found: Recommending = request.app.state.recommending
    return found


Source = Annotated[Recommending, Depends(_recommending)]
Count = Annotated[int, Query(description=f"At most {MAX_COUNT}.", ge=0, lt=2**31)]


@router.get("/1/cf/recommendation/user/{user_name}/recording", summary="Recommended recordings, as ListenBrainz")
async def recordings(
    user: Owner,
    source: Source,
    artist_type: str = "raw",
    count: Count = COUNT,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> Response:
    """Read the latest recommendations; 204 if there are none yet.

    Segue has one ranking, so that every `artist_type` gives the same. Recordings carry their MSID, which
    recording-feedback takes, and Segue's track with the reason.
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
    explain: bool = False,
    discover: Annotated[
        float | None, Query(ge=0, le=1, description="Share of tracks never played; default the stored list.")
    ] = None,
    count: Annotated[int | None, Query(ge=1, le=MAX_COUNT)] = None,
) -> JSONResponse:
    """Read the latest recommendations; with `discover` or `count` they are ranked anew."""
    found = None if discover is not None or count is not None else await run_in_threadpool(source.stored, user)
    if found is None:
        wishes = Wishes(count=count or COUNT, discover=1.0 if discover is None else discover)
        found = await _or_unavailable(source.now, user, wishes)
    return JSONResponse(_public(found, explain=explain))


@router.get("/v1/users/{user_name}/recommendations/events", summary="Recommendations as they change")
async def events(request: Request, user: Owner, source: Source) -> StreamingResponse:
    """Send the recommendations now and whenever they change, as server-sent events; ends with the token."""
    streams: Counter[str] = request.app.state.streams
    if streams[user] >= MAX_STREAMS:
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, f"You have {MAX_STREAMS} of these streams open already.")

    async def counted() -> AsyncIterator[str]:
        streams[user] += 1
        try:
            async for event in _changes(request, user, source):
                yield event
        finally:
            streams[user] -= 1

    return StreamingResponse(
        counted(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def _changes(request: Request, user: str, source: Recommending) -> AsyncIterator[str]:
    seen: Any = None
    sent: Document | None = None
    told = checked = time.monotonic()
    while not await request.is_disconnected() and not context(request).stopping.is_set():
        again = time.monotonic() - checked > CHECK_EVERY_S
        if again:
            checked = time.monotonic()
            if not await _still_trusted(request, user):
                return
        newest = await run_in_threadpool(source.newest, user)
        if newest is not None and (again or newest != seen):
            found = await run_in_threadpool(source.stored, user)
            if found is not None and found != sent:
                seen, sent, told = found["generated_at"], found, time.monotonic()
                yield f"event: recommendations\ndata: {json.dumps(_public(found, explain=True))}\n\n"
        if time.monotonic() - told > COMMENT_EVERY_S:
            told = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_EVERY_S)


async def _still_trusted(request: Request, user: str) -> bool:
    token = header_token(request) or ""
    accounts = context(request).remembered
    known, owner = accounts.remembered(token)
    return user == (owner if known else await run_in_threadpool(accounts.look_up, token))


@router.get("/v1/tracks/{track_id}/similar", summary="Tracks that sound alike")
async def similar(
    _: User, track_id: str, source: Source, count: Annotated[int, Query(ge=1, le=50)] = 10
) -> Response:
    """Find what sounds most like a track, by its audio features."""
    found = await _or_unavailable(source.similar, track_id, count)
    if found is None:
        raise not_found(f"Cannot find track: {track_id}")
    return JSONResponse({"track_id": track_id, "similar": found})


@router.get("/v1/tracks/{track_id}/audio", summary="The track's file", response_class=FileResponse)
async def audio(_: User, ctx: Ctx, track_id: str) -> FileResponse:
    """Send the corpus' file, for a preview."""
    tracks = ctx.mongo[ctx.settings.mongo_database]["tracks"]
    found = await run_in_threadpool(tracks.find_one, {"_id": track_id}, {"path": 1})
    if found is None:
        raise not_found(f"Cannot find track: {track_id}")
    root = ctx.settings.music_dir
    if not isinstance(root, Path):
        raise not_found("The music is in an object store, and not served from there.")
    path = (root / str(found["path"])).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise not_found(f"The file of track {track_id} is not in the music folder.")
    return FileResponse(path)


@router.get("/u/{user_name}", summary="A listener's page", response_class=HTMLResponse, include_in_schema=False)
async def page(user_name: str) -> HTMLResponse:
    """Show the page; it asks for the listener's token and reads everything with it."""
    del user_name  # the page finds it in its own address
    return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": PAGE_POLICY})


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


REASONS = ("reason", "because", "others", "popularity", "sounds_like")


def _public(found: Document, *, explain: bool) -> Document:
    items = [{k: v for k, v in item.items() if explain or k not in REASONS} for item in found["items"]]
    return {
        "user_name": found["_id"],
        "model_version": found["model_version"],
        "generated_at": found["generated_at"].isoformat(),
        "count": len(items),
        "items": items,
    }
