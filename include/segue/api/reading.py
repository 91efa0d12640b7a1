"""Routes that return listens: what a user has played, is playing, and has imported."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from segue.api import schemas
from segue.api.access import Body, Ctx, Owner, Reader, User
from segue.api.errors import bad_request, not_found
from segue.api.submitting import ok
from segue.api.validation import parse_object
from segue.listens import limits
from segue.listens.events import Listen

router = APIRouter(tags=["listens"], responses=schemas.REFUSALS)

SERVICES = ("lastfm", "librefm", "listenbrainz", "spotify", "soundcloud", "apple", "funkwhale", "navidrome")

Seconds = Annotated[
    int | None, Query(description="Seconds since 1970-01-01 UTC, exclusive.", lt=2**53, gt=-(2**53))
]
Count = Annotated[int, Query(description=f"At most {limits.MAX_ITEMS_PER_GET}.", ge=0, lt=2**31)]


@router.get("/1/user/{user_name}/listens", summary="Listens of a user")
async def listens(
    user: Reader,
    ctx: Ctx,
    max_ts: Seconds = None,
    min_ts: Seconds = None,
    count: Count = limits.DEFAULT_ITEMS_PER_GET,
) -> JSONResponse:
    """Return listens before `max_ts`, after `min_ts`, or the latest. Newest first.

    With equal bounds, there are none.
    """
    if max_ts is not None and min_ts is not None and max_ts < min_ts:
        raise bad_request("max_ts should be greater than min_ts")
    count = min(count, limits.MAX_ITEMS_PER_GET)
    found = await run_in_threadpool(ctx.store.of_user, user, before=max_ts, after=min_ts, count=count)
    span = await run_in_threadpool(ctx.store.span, user)
    payload = {
        "user_id": user,
        "count": len(found),
        "listens": [_listen(event) for event in found],
        "latest_listen_ts": span.newest if span else 0,
        "oldest_listen_ts": span.oldest if span else 0,
    }
    return JSONResponse({"payload": payload})


@router.get("/1/user/{user_name}/listen-count", summary="Number of listens of a user")
async def listen_count(user: Reader, ctx: Ctx) -> JSONResponse:
    """Count the listens of a user."""
    return JSONResponse({"payload": {"count": await run_in_threadpool(ctx.store.count, user)}})


@router.get("/1/user/{user_name}/playing-now", summary="What a user is playing now")
async def playing_now(user: Owner, ctx: Ctx) -> JSONResponse:
    """Return what is playing now: one listen without a time, or none."""
    metadata = await run_in_threadpool(ctx.playing_now.get, user)
    playing = [{"playing_now": True, "track_metadata": metadata}] if metadata else []
    payload = {"count": len(playing), "user_id": user, "playing_now": True, "listens": playing}
    return JSONResponse({"payload": payload})


@router.get("/v1/users/{user_name}/refused-listens", summary="Recently refused listens of a user")
async def refused_listens(user: Owner, ctx: Ctx) -> JSONResponse:
    """Return the listens that were refused, each with the reason. Newest first.

    Many players do not show such errors.
    """
    found = await run_in_threadpool(ctx.refused.of_user, user)
    return JSONResponse({"user_name": user, "count": len(found), "refused": found})


@router.get("/1/latest-import", summary="Time of the latest import of a user")
async def latest_import(user: Reader, ctx: Ctx, service: str = "lastfm") -> JSONResponse:
    """Return the time of the newest listen of earlier imports; 0 if there were none."""
    latest = await run_in_threadpool(ctx.accounts.latest_import, user, _known(service))
    status = {"state": None, "count": 0}
    return JSONResponse({"musicbrainz_id": user, "latest_import": latest, "status": status, "error": None})


@router.post(
    "/1/latest-import", summary="Record the time of an import", openapi_extra=schemas.takes(schemas.LatestImport)
)
async def set_latest_import(user: User, body: Body, ctx: Ctx) -> Response:
    """Record the time of the newest listen of an import. A time before the recorded one changes nothing."""
    document = parse_object(body)
    ts, service = document.get("ts", 0), document.get("service", "lastfm")
    if not isinstance(ts, int) or not 0 <= ts < 2**53 or not isinstance(service, str):
        raise bad_request("Invalid data sent")
    await run_in_threadpool(ctx.accounts.note_import, user, _known(service), ts)
    return ok()


def _known(service: str) -> str:
    if service.lower() not in SERVICES:
        raise not_found(f"Service does not exist: {service}")
    return service.lower()


def _listen(event: Listen) -> dict[str, Any]:
    """Convert an event to ListenBrainz's form of a listen, with Segue's track if it was matched."""
    names = {"artist_name": event.artist_name, "track_name": event.track_name, "release_name": event.release_name}
    metadata: dict[str, Any] = {k: v for k, v in names.items() if v is not None}
    metadata["additional_info"] = event.additional_info or {}
    listen: dict[str, Any] = {
        "inserted_at": int(event.received_at or 0),
        "listened_at": event.listened_at,
        "recording_msid": event.recording_msid,
        "user_name": event.user_name,
        "track_metadata": metadata,
    }
    if event.track_id is not None:
        listen["segue"] = {"track_id": event.track_id, "matched_by": event.matched_by, "score": event.match_score}
    if event.claimed_at is not None:
        listen.setdefault("segue", {})["claimed_at"] = event.claimed_at
    return listen
