"""Similar tracks, similar artists and paths in the form of AudioMuse-AI's HTTP API, which media servers ask for.

A track is named by Segue's id, or by title and artist. A media server's own ids mean nothing here. A distance is 1
minus the cosine of two places in the space of sound.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from segue.api import schemas
from segue.api.access import Ctx, User
from segue.api.errors import bad_request
from segue.api.playlists import MAX_COUNT, Tracks, barred_now, or_not_found
from segue.errors import PlaylistError
from segue.playlists import artists, requested
from segue.playlists.library import Library, Track
from segue.playlists.rules import CANDIDATES, first

router = APIRouter(prefix="/api", tags=["similarity"], responses=schemas.REFUSALS)

Wanted = Annotated[int, Query(ge=1, le=MAX_COUNT, description="How many.")]


@router.get("/similar_tracks", summary="Tracks that sound similar, in AudioMuse-AI's form")
async def similar_tracks(
    _: User,
    tracks: Tracks,
    item_id: Annotated[str | None, Query(description="Segue's id of the track.")] = None,
    title: str | None = None,
    artist: str | None = None,
    n: Wanted = 10,
    eliminate_duplicates: Annotated[bool, Query(description="Limit the tracks by one artist.")] = False,
) -> JSONResponse:
    """Return the recordings that sound most like a track, nearest first."""
    if item_id is None and not (title and artist):
        raise bad_request("Name the track by item_id, or by title and artist.")

    def look() -> list[dict[str, Any]]:
        track = item_id or _named(tracks, artist or "", title or "")
        near = dict(tracks.similar(track, CANDIDATES * n if eliminate_duplicates else n))
        kept = first(near, n) if eliminate_duplicates else list(near)
        return [_item(each) | {"distance": 1 - near[each]} for each in kept]

    return JSONResponse(await or_not_found(look))


@router.get("/similar_artists", summary="Artists who sound similar, in AudioMuse-AI's form")
async def similar_artists(
    _: User,
    tracks: Tracks,
    artist: Annotated[str, Query(min_length=1, description="Spelt as in the corpus.")],
    n: Wanted = 10,
) -> JSONResponse:
    """Return the artists whose tracks are, on average, nearest to those of an artist."""
    alike = await or_not_found(lambda: artists.similar(tracks, artist, n))
    return JSONResponse([{"artist": name, "artist_id": None, "divergence": 1 - cosine} for name, cosine in alike])


@router.get("/find_path", summary="Path between two tracks, in AudioMuse-AI's form")
async def find_path(
    user: User,
    ctx: Ctx,
    tracks: Tracks,
    start_song_id: str,
    end_song_id: str,
    max_steps: Annotated[int, Query(ge=2, le=MAX_COUNT, description="Largest number of tracks.")] = 25,
) -> JSONResponse:
    """Return a way from one track to another in small steps of sound."""

    def look() -> dict[str, Any]:
        barred = barred_now(ctx, user)
        way = requested.path(tracks, user, start_song_id, end_song_id, max_steps, barred)
        on_it = [entry.track for entry in way.entries]
        places = tracks.index.vectors([track.track_id for track in on_it])
        total = sum(1 - float(before @ after) for before, after in pairwise(places))
        return {"path": [_item(track) for track in on_it], "total_distance": total}

    return JSONResponse(await or_not_found(look))


def _named(tracks: Library, artist: str, title: str) -> str:
    for track in artists.tracks_of(tracks, artist):
        if track.title.casefold() == title.casefold():
            return track.track_id
    raise PlaylistError(f"Cannot find track: “{title}” by {artist}")


def _item(track: Track) -> dict[str, Any]:
    return {
        "item_id": track.track_id,
        "title": track.title,
        "author": track.artist,
        "album": track.album or "unknown",
    }
