"""Look up the MusicBrainz id of a recording by its names, as players do before they love it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from segue.api import schemas
from segue.api.access import Ctx, User
from segue.api.context import Context
from segue.listens.events import MAX_TEXT

router = APIRouter(prefix="/1/metadata", tags=["metadata"], responses=schemas.REFUSALS)

Name = Annotated[str, Query(min_length=1, max_length=MAX_TEXT)]


@router.get("/lookup", summary="MusicBrainz id of a recording")
async def lookup(
    _: User, ctx: Ctx, recording_name: Name, artist_name: Name, release_name: str | None = None
) -> JSONResponse:
    """Find the recording of these names in the corpus, in the same way as listens are matched.

    The response is an empty object if there is none, or if the recording has no MusicBrainz id.
    """
    del release_name  # the album does not decide which recording it is
    return JSONResponse(await run_in_threadpool(_found, ctx, artist_name, recording_name))


def _found(ctx: Context, artist_name: str, recording_name: str) -> dict[str, Any]:
    match = ctx.catalogue.index.match(artist_name, recording_name)
    if match is None:
        return {}
    tracks = ctx.mongo[ctx.settings.mongo_database]["tracks"]
    ids = ("recording_mbid", "release_mbid", "artist_mbids")
    wanted = dict.fromkeys(("title", "artist", "album", *ids), 1)
    track = tracks.find_one({"_id": match.track_id}, wanted) or {}
    if not track.get("recording_mbid"):
        return {}
    return {
        "artist_credit_name": track.get("artist"),
        "artist_mbids": track.get("artist_mbids") or [],
        "recording_mbid": track["recording_mbid"],
        "recording_name": track.get("title"),
        "release_mbid": track.get("release_mbid"),
        "release_name": track.get("album"),
    }
