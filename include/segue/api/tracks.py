"""Routes for single tracks of the corpus: names and ids, artwork, and audio."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response

from segue.api import schemas
from segue.api.access import Ctx, User
from segue.api.context import Context
from segue.api.errors import not_found
from segue.audio.artwork import read_artwork
from segue.corpus import audio_file
from segue.errors import CorpusError
from segue.listens.plays import recording_msid
from segue.settings import Settings
from segue.tracks import genres
from segue.tracks.collection import COLLECTION

router = APIRouter(prefix="/v1/tracks", tags=["tracks"], responses=schemas.REFUSALS)

MAX_COUNT = 200

FIELDS = ("title", "artist", "album", "duration_s", "recording_mbid", "path", *genres.FIELDS)

ARTWORK_HEADERS = {
    "Cache-Control": "private, max-age=86400",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


@router.get("", summary="Names and ids of tracks")
async def tracks(
    _: User,
    ctx: Ctx,
    id: Annotated[list[str], Query(min_length=1, max_length=MAX_COUNT, description="Track ids.")],  # noqa: A002
) -> JSONResponse:
    """Return tracks in the order of the ids. Ids of no published track are left out.

    `recording_msid` is what recording-feedback accepts. If a track has no genre, `genre` is the predicted one.
    `unplayable` says why its audio cannot be had here, or is null. `comparable` says whether its sound can be
    compared with that of others.
    """
    return JSONResponse({"tracks": await run_in_threadpool(_tracks, ctx, id)})


@router.get(
    "/{track_id}/artwork",
    summary="Picture in the tags of a track",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}}, 204: {"description": "The tags have no picture."}},
)
async def artwork(request: Request, _: User, ctx: Ctx, track_id: str) -> Response:
    """Return the front cover, or else the first picture. The status is 204 if there is none."""
    path = await _file(ctx, track_id)
    stated = await run_in_threadpool(path.stat)
    headers = ARTWORK_HEADERS | {"ETag": f'"{stated.st_size:x}-{stated.st_mtime_ns:x}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    found = await run_in_threadpool(read_artwork, path)
    if found is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    return Response(found.data, media_type=found.media_type, headers=headers)


@router.get("/{track_id}/audio", summary="Audio file of a track", response_class=FileResponse)
async def audio(_: User, ctx: Ctx, track_id: str) -> FileResponse:
    """Return the audio file of a track in the corpus, or the range that is requested."""
    return FileResponse(await _file(ctx, track_id))


async def _file(ctx: Context, track_id: str) -> Path:
    database = ctx.mongo[ctx.settings.mongo_database]
    try:
        return await run_in_threadpool(audio_file.find, database, ctx.settings, track_id)
    except CorpusError as error:
        raise not_found(str(error)) from None


def _tracks(ctx: Context, track_ids: list[str]) -> list[dict[str, Any]]:
    collection = ctx.mongo[ctx.settings.mongo_database][COLLECTION]
    query = {"_id": {"$in": track_ids}}
    found = {each["_id"]: each for each in collection.find(query, dict.fromkeys(FIELDS, 1))}
    return [_as_json(ctx, found[each]) for each in dict.fromkeys(track_ids) if each in found]


def _as_json(ctx: Context, track: dict[str, Any]) -> dict[str, Any]:
    title, artist = track.get("title") or "", track.get("artist") or ""
    return {
        "track_id": track["_id"],
        "title": title,
        "artist": artist,
        "album": track.get("album") or "",
        "genre": genres.genre_of(track),
        "duration_s": track.get("duration_s"),
        "recording_mbid": track.get("recording_mbid"),
        "recording_msid": recording_msid(artist, title, None),
        "unplayable": _unplayable(ctx.settings, track),
        "comparable": track["_id"] in ctx.sounds.index,
    }


def _unplayable(settings: Settings, track: dict[str, Any]) -> str | None:
    try:
        audio_file.locate(settings, track["_id"], track.get("path") or "")
    except CorpusError as error:
        return str(error)
    return None
