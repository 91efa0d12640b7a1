"""The route of the map of the library."""

from __future__ import annotations

import gzip
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from segue.api import schemas
from segue.api.access import Ctx, User
from segue.tracks import sound_map

router = APIRouter(tags=["tracks"], responses=schemas.REFUSALS)

BINARY = "application/octet-stream"


@router.get(
    "/v1/map",
    summary="Map of the library",
    response_class=Response,
    responses={200: {"content": {BINARY: {}}}, 204: {"description": "There is no map yet."}},
)
async def whole_map(request: Request, _: User, ctx: Ctx) -> Response:
    """Return where each track is on the map: what is near sounds alike. The status is 204 if there is no map yet.

    Little-endian: the number of tracks (uint32); the x of all, then the y of all (float32, from -1 to 1); the
    genre of all (uint8: a position in `genres`, 255 if it is not known); then a JSON object with `genres`, the
    most frequent first, and `track_ids`.
    """
    database = ctx.mongo[ctx.settings.mongo_database]
    version = await run_in_threadpool(sound_map.version, database)
    if version is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    headers = {"ETag": f'"{version}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if version in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    compressed = "gzip" in request.headers.get("accept-encoding", "")

    def packed() -> bytes:
        found = sound_map.read(database)
        plain = found.packed() if found else b""
        return gzip.compress(plain, compresslevel=5, mtime=0) if compressed else plain

    if compressed:
        headers["Content-Encoding"] = "gzip"
    return Response(await run_in_threadpool(packed), media_type=BINARY, headers=headers)
