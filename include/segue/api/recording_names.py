"""Find the artist and title of recordings that are known only by an id, such as recordings that a user loves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from segue.api.context import Context
from segue.listens.plays import Play
from segue.recommender.online.serving import COLLECTION as INTERLEAVED
from segue.recommender.serving.lists import COLLECTION as RECOMMENDATIONS


def names_of(
    ctx: Context, user_name: str, recordings: Collection[str], *, search_listens: bool
) -> dict[str, Play]:
    """Find the names of a user's recordings, given their ids.

    Parameters
    ----------
    ctx
        The context of the API.
    user_name
        The user.
    recordings
        MSIDs and MBIDs.
    search_listens
        Whether to search all listens of the user for recordings that are not found elsewhere.

    Returns
    -------
    dict of str to Play
        By id, for the ids that are found. They are searched in this order: what is playing now, the user's
        recommendations, the corpus (by MBID), the user's listens. The plays have no time.
    """
    wanted = set(recordings)
    found: dict[str, Play] = {}
    if wanted:
        for play in (*_playing(ctx, user_name), *_recommended(ctx, user_name)):
            ids = {play.recording_msid, str(play.additional_info.get("recording_mbid"))}
            found |= dict.fromkeys(ids & wanted, play)
    found |= {mbid: play for mbid in wanted - found.keys() for play in _of_corpus(ctx, mbid)}
    unknown = wanted - found.keys()
    if unknown and search_listens:
        for known, listen in ctx.store.played_as(user_name, unknown).items():
            found[known] = Play(0, listen.artist_name or "", listen.track_name or "", listen.release_name)
    return found


def _playing(ctx: Context, user_name: str) -> list[Play]:
    playing = ctx.playing_now.get(user_name)
    if playing is None:
        return []
    info = playing["additional_info"]
    return [Play(0, playing["artist_name"], playing["track_name"], playing.get("release_name"), info)]


def _recommended(ctx: Context, user_name: str) -> list[Play]:
    found = (
        _database(ctx)[name].find_one({"_id": user_name}, {"items": 1}) for name in (RECOMMENDATIONS, INTERLEAVED)
    )
    items = [item for stored in found if stored for item in stored["items"]]
    return [Play(0, item.get("artist") or "", item.get("title") or "") for item in items]


def _of_corpus(ctx: Context, recording_mbid: str) -> list[Play]:
    match = ctx.catalogue.index.match("", "", recording_mbid=recording_mbid)
    if match is None:
        return []
    track = _database(ctx)["tracks"].find_one({"_id": match.track_id}, {"artist": 1, "title": 1, "album": 1}) or {}
    return [Play(0, track.get("artist") or "", track.get("title") or "", track.get("album"))]


def _database(ctx: Context) -> Any:
    return ctx.mongo[ctx.settings.mongo_database]
