"""Routes for playlists, in ListenBrainz's form and as M3U8, and for tracks that sound alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from segue.api import schemas
from segue.api.access import Ctx, Owner, User
from segue.api.context import Context
from segue.api.errors import not_found
from segue.errors import PlaylistError
from segue.playlists import formats, requested
from segue.playlists.daily import KINDS
from segue.playlists.library import Library
from segue.playlists.playlist import Playlist
from segue.playlists.rules import barred_for
from segue.playlists.store import PlaylistStore, playlist_of
from segue.recommender.serving.lists import hated_by
from segue.tracks.moods import MOODS

router = APIRouter(tags=["playlists"], responses=schemas.REFUSALS)

MAX_COUNT = 100
MAX_SEEDS = 10
MAX_MINUTES = 600


def library_of(ctx: Ctx) -> Library:
    """Return the tracks, with the index of sound as it is now."""
    return Library(ctx.mongo[ctx.settings.mongo_database], ctx.sounds.index)


class Form:
    """How a playlist is written: its format, and the root of the paths in M3U8."""

    def __init__(
        self,
        request: Request,
        format: Annotated[Literal["jspf", "m3u8"], Query(description="JSPF, or M3U8 for players.")] = "jspf",  # noqa: A002
        root: Annotated[
            str,
            Query(description="Put before each path in M3U8. By default, paths are relative to the music folder."),
        ] = "",
    ) -> None:
        self.base_url = str(request.base_url).rstrip("/")
        self._format, self._root = format, root

    def write(self, playlist: Playlist) -> Response:
        """Build the response."""
        if self._format == "jspf":
            return JSONResponse(formats.jspf(playlist, self.base_url))
        named = {"Content-Disposition": f'attachment; filename="{playlist.kind}.m3u8"'}
        return Response(
            formats.m3u8(playlist, self._root), media_type="application/vnd.apple.mpegurl", headers=named
        )


Tracks = Annotated[Library, Depends(library_of)]
Written = Annotated[Form, Depends()]
Count = Annotated[int, Query(ge=2, le=MAX_COUNT, description="Largest number of tracks.")]
Seeds = Annotated[list[str], Query(min_length=1, max_length=MAX_SEEDS, description="Track ids.")]
Minutes = Annotated[float, Query(gt=0, le=MAX_MINUTES)]
Offset = Annotated[int, Query(ge=0, lt=2**31)]


@router.get("/1/user/{user_name}/playlists/createdfor", summary="Playlists made for a user")
async def created_for(
    user: Owner,
    ctx: Ctx,
    form: Written,
    tracks: Tracks,
    count: Annotated[int, Query(ge=0)] = 25,
    offset: Offset = 0,
) -> JSONResponse:
    """Return the daily playlists of a user, without their tracks, as ListenBrainz does."""
    found = await run_in_threadpool(_store(ctx).of_user, user)
    shown = [playlist_of(each | {"items": []}, tracks) for each in found[offset : offset + min(count, MAX_COUNT)]]
    listed = [formats.jspf(each, form.base_url, tracks=False) for each in shown]
    return JSONResponse(
        {"playlists": listed, "count": len(listed), "offset": offset, "playlist_count": len(found)}
    )


@router.get("/1/playlist/{playlist_mbid}", summary="A playlist")
async def playlist(user: User, ctx: Ctx, form: Written, tracks: Tracks, playlist_mbid: str) -> Response:
    """Return a playlist that was made for the user of the token."""
    found = await run_in_threadpool(_store(ctx).find, playlist_mbid)
    if found is None or found["user_name"] != user:
        raise not_found(f"Cannot find playlist: {playlist_mbid}")
    return form.write(await run_in_threadpool(_current, ctx, tracks, found))


@router.get("/v1/users/{user_name}/playlists/radio", summary="Radio from a track")
async def radio(user: Owner, ctx: Ctx, form: Written, tracks: Tracks, track: str, count: Count = 25) -> Response:
    """Return what sounds like a track, beginning with it."""
    return await _made(ctx, form, user, lambda barred: requested.radio(tracks, user, track, count, barred))


@router.get("/v1/users/{user_name}/playlists/path", summary="Path between two tracks")
async def path(
    user: Owner, ctx: Ctx, form: Written, tracks: Tracks, start: str, end: str, count: Count = 12
) -> Response:
    """Return a way from one track to another in small steps of sound."""
    return await _made(ctx, form, user, lambda barred: requested.path(tracks, user, start, end, count, barred))


@router.get("/v1/users/{user_name}/playlists/alchemy", summary="More of some tracks, less of others")
async def alchemy(
    user: Owner,
    ctx: Ctx,
    form: Written,
    tracks: Tracks,
    more: Seeds,
    less: Annotated[list[str] | None, Query(max_length=MAX_SEEDS, description="Track ids.")] = None,
    count: Count = 25,
) -> Response:
    """Return what sounds like the tracks in `more` and unlike those in `less`."""
    return await _made(
        ctx, form, user, lambda barred: requested.alchemy(tracks, user, more, less or [], count, barred)
    )


@router.get("/v1/users/{user_name}/playlists/genre", summary="A genre for so many minutes")
async def genre(
    user: Owner,
    ctx: Ctx,
    form: Written,
    tracks: Tracks,
    genre: Annotated[str, Query(min_length=1, description="Spelt as in the corpus.")],
    minutes: Minutes = 60,
) -> Response:
    """Return tracks of a genre, at most so many minutes. Every day there are others."""
    today = _today()
    return await _made(
        ctx, form, user, lambda barred: requested.genre(tracks, user, genre, minutes, barred, seed=today)
    )


@router.get("/v1/users/{user_name}/playlists/mood", summary="A mood for so many minutes")
async def mood(
    user: Owner,
    ctx: Ctx,
    form: Written,
    tracks: Tracks,
    mood: Annotated[str, Query(description=", ".join(MOODS))],
    minutes: Minutes = 60,
) -> Response:
    """Return tracks of a mood, at most so many minutes. Every day there are others.

    Moods are rules on tempo, beat, loudness, brightness and key, relative to the library.
    """
    today = _today()
    return await _made(
        ctx, form, user, lambda barred: requested.mood(tracks, user, mood, minutes, barred, seed=today)
    )


@router.get("/v1/moods", summary="Moods of the corpus")
async def moods(_: User, tracks: Tracks) -> JSONResponse:
    """Return the moods that make a playlist. There are none if no track has musical descriptors."""
    return JSONResponse({"moods": await run_in_threadpool(tracks.moods)})


@router.get("/v1/genres", summary="Genres of the corpus")
async def genres(_: User, tracks: Tracks) -> JSONResponse:
    """Return the genres of the tags, sorted. Each of them makes a playlist."""
    return JSONResponse({"genres": await run_in_threadpool(tracks.genres)})


@router.get("/v1/users/{user_name}/playlists/{kind}", summary="A daily playlist")
async def daily(
    user: Owner,
    ctx: Ctx,
    form: Written,
    tracks: Tracks,
    kind: Annotated[str, PathParameter(description=", ".join(KINDS))],
) -> Response:
    """Return one of the playlists that are made every day."""
    found = await run_in_threadpool(_store(ctx).of_user, user)
    stored = next((each for each in found if each["kind"] == kind), None)
    if stored is None:
        raise not_found(
            f"Cannot find a playlist {kind!r} of {user}. There are {', '.join(KINDS)}; the DAG `playlists` makes "
            "them every day for listeners who have played something."
        )
    return form.write(await run_in_threadpool(_current, ctx, tracks, stored))


@router.get("/v1/tracks/{track_id}/similar", summary="Tracks that sound similar")
async def similar(
    _: User, tracks: Tracks, track_id: str, count: Annotated[int, Query(ge=1, le=50)] = 10
) -> JSONResponse:
    """Return the recordings whose sound is most similar to that of a track. The similarity is a cosine."""
    found = await or_not_found(lambda: tracks.similar(track_id, count))
    listed = [
        {
            "track_id": track.track_id,
            "title": track.title,
            "artist": track.artist,
            "similarity": cosine,
            "recording_mbid": track.recording_mbid,
        }
        for track, cosine in found
    ]
    return JSONResponse({"track_id": track_id, "similar": listed})


async def _made(ctx: Context, form: Form, user: str, make: Callable[[frozenset[str]], Playlist]) -> Response:
    return form.write(await or_not_found(lambda: make(barred_now(ctx, user))))


async def or_not_found(ask: Callable[[], Any]) -> Any:
    """Answer 404 with the sentence of a `PlaylistError`."""
    try:
        return await run_in_threadpool(ask)
    except PlaylistError as error:
        raise not_found(str(error)) from error


def barred_now(ctx: Context, user: str) -> frozenset[str]:
    """Return the ids of what a user hates or has skipped lately."""
    database = ctx.mongo[ctx.settings.mongo_database]
    hated = hated_by(database, [user]).get(user, ())
    return barred_for(library_of(ctx), ctx.store.history(user), hated, time.time())


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _current(ctx: Context, tracks: Library, stored: dict[str, Any]) -> Playlist:
    return playlist_of(stored, tracks, barred_now(ctx, stored["user_name"]))


def _store(ctx: Context) -> PlaylistStore:
    return PlaylistStore(ctx.mongo[ctx.settings.mongo_database])
