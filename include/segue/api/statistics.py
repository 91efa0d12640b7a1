"""Statistics of a user, counted from the user's listens at the time of the request."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from segue.api import periods, schemas
from segue.api.access import Ctx, Reader
from segue.api.errors import bad_request
from segue.api.periods import Period
from segue.listens import limits
from segue.tracks.genres import genres_of

router = APIRouter(prefix="/1/stats/user", tags=["statistics"], responses=schemas.REFUSALS)

Range = Annotated[str, Query(alias="range", description=", ".join(periods.NAMES))]
Count = Annotated[int, Query(description=f"At most {limits.MAX_ITEMS_PER_GET}.", ge=0, lt=2**31)]
Offset = Annotated[int, Query(ge=0, lt=2**31)]

NAMED = {
    "artists": ("artist_name",),
    "releases": ("release_name", "artist_name"),
    "recordings": ("track_name", "artist_name"),
}
"""Fields that identify an artist, a release or a recording; case is ignored."""


@dataclass
class Counts:
    """Number of listens of each artist, release or recording, and its newest listen, which supplies the names."""

    listens: Counter[tuple[str, ...]] = field(default_factory=Counter)
    newest: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def add(self, event: dict[str, Any], names: Iterable[str]) -> None:
        """Count a listen, unless it lacks one of the names."""
        found = [event.get(name) or "" for name in names]
        if all(found):
            key = tuple(name.casefold() for name in found)
            self.listens[key] += 1
            if self.newest.setdefault(key, event)["listened_at"] < event["listened_at"]:
                self.newest[key] = event


@router.get("/{user_name}/artists", summary="Most played artists of a user")
async def artists(
    user: Reader, ctx: Ctx, range_: Range = "all_time", count: Count = 25, offset: Offset = 0
) -> Response:
    """Count listens by artist. The status is 204 if there are none in the period."""
    return await _most_played(user, ctx, "artists", range_, count, offset)


@router.get("/{user_name}/releases", summary="Most played albums of a user")
async def releases(
    user: Reader, ctx: Ctx, range_: Range = "all_time", count: Count = 25, offset: Offset = 0
) -> Response:
    """Count listens by album and artist. The status is 204 if there are none in the period."""
    return await _most_played(user, ctx, "releases", range_, count, offset)


@router.get("/{user_name}/recordings", summary="Most played recordings of a user")
async def recordings(
    user: Reader, ctx: Ctx, range_: Range = "all_time", count: Count = 25, offset: Offset = 0
) -> Response:
    """Count listens by title and artist. The status is 204 if there are none in the period."""
    return await _most_played(user, ctx, "recordings", range_, count, offset)


@router.get("/{user_name}/genres", summary="Most played genres of a user")
async def genres(
    user: Reader, ctx: Ctx, range_: Range = "all_time", count: Count = 25, offset: Offset = 0
) -> Response:
    """Count listens by the genre of the track in the corpus, or else by its predicted genre.

    Listens of other tracks do not count. The status is 204 if there are none in the period.
    """
    asked = _period(range_)

    def counted() -> Counter[str]:
        found = ctx.store.between(user, asked.from_ts, asked.to_ts)
        tracks = Counter(event["track_id"] for _, event in found if event.get("track_id"))
        by_genre = Counter[str]()
        for track_id, genre in genres_of(ctx.mongo[ctx.settings.mongo_database], list(tracks)).items():
            by_genre[genre] += tracks[track_id]
        return by_genre

    listens = await run_in_threadpool(counted)
    if not listens:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    ranked = sorted(listens.items(), key=lambda item: (-item[1], item[0]))
    page = ranked[offset : offset + min(count, limits.MAX_ITEMS_PER_GET)]
    payload = {
        "genres": [{"genre": genre, "listen_count": plays} for genre, plays in page],
        "count": len(page),
        "offset": offset,
        "total_genre_count": len(ranked),
    }
    return JSONResponse({"payload": payload | _about(user, asked)})


@router.get("/{user_name}/listening-activity", summary="Number of listens of a user over time")
async def listening_activity(user: Reader, ctx: Ctx, range_: Range = "all_time") -> Response:
    """Count the listens of each day, month or year of a period and of the period before it.

    The status is 204 if there are none.
    """
    asked = _period(range_)
    start = periods.seconds(asked.before)
    times = await run_in_threadpool(lambda: [at for at, _ in ctx.store.between(user, start, asked.to_ts)])
    if not times:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    days = Counter(datetime.fromtimestamp(at, UTC).date() for at in times)
    activity = [
        {
            "from_ts": periods.seconds(first),
            "to_ts": periods.seconds(until) - 1,
            "listen_count": sum(listens for day, listens in days.items() if first <= day < until),
            "time_range": label,
        }
        for first, until, label in periods.steps(asked)
    ]
    if asked.name == "all_time":
        begun = next(place for place, year in enumerate(activity) if year["listen_count"])
        activity = activity[begun:]
    return JSONResponse({"payload": {"listening_activity": activity} | _about(user, asked)})


async def _most_played(user: str, ctx: Ctx, what: str, range_: str, count: int, offset: int) -> Response:
    asked = _period(range_)

    def counted() -> Counts:
        counts = Counts()
        for _, event in ctx.store.between(user, asked.from_ts, asked.to_ts):
            counts.add(event, NAMED[what])
        return counts

    counts = await run_in_threadpool(counted)
    if not counts.listens:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    ranked = sorted(counts.listens.items(), key=lambda item: (-item[1], item[0]))
    page = ranked[offset : offset + min(count, limits.MAX_ITEMS_PER_GET)]
    rows = [_row(what, counts.newest[key], listens) for key, listens in page]
    payload = {
        what: rows,
        "count": len(rows),
        "offset": offset,
        f"total_{what.removesuffix('s')}_count": len(ranked),
    }
    return JSONResponse({"payload": payload | _about(user, asked)})


def _row(what: str, event: dict[str, Any], listens: int) -> dict[str, Any]:
    info = event.get("additional_info") or {}
    row = {
        "artist_name": event["artist_name"],
        "artist_mbids": info.get("artist_mbids") or [],
        "listen_count": listens,
    }
    if what != "artists":
        row |= {"release_name": event.get("release_name") or "", "release_mbid": info.get("release_mbid")}
    if what == "recordings":
        ids = {name: event.get(name) for name in ("recording_mbid", "recording_msid")}
        row |= {"track_name": event["track_name"], **ids}
    return row


def _about(user: str, asked: Period) -> dict[str, Any]:
    return {
        "user_id": user,
        "range": asked.name,
        "from_ts": asked.from_ts,
        "to_ts": asked.to_ts,
        "last_updated": int(time.time()),
    }


def _period(name: str) -> Period:
    if name not in periods.NAMES:
        raise bad_request(f"Invalid range: {name}")
    return periods.period(name, datetime.now(UTC).date())
