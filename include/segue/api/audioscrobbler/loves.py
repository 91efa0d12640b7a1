"""Love by names: Last.fm's players name artist and title, Segue's opinions are of recordings' ids."""

from __future__ import annotations

from fastapi.concurrency import run_in_threadpool

from segue.api import feedback
from segue.api.context import Context
from segue.listens.feedback import Feedback
from segue.listens.plays import recording_msid

SEARCHED_LISTENS = 1_000
"""Of the user's newest listens: a player loves what plays or has just been played."""

Ids = dict[str, str]


async def love(ctx: Context, user: str, artist: str, track: str, album: str | None = None) -> None:
    """Love a recording: without an album, the one of these names that the user has played last.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge.
    """
    names = {
        "artist_name": artist.strip(),
        "track_name": track.strip(),
        "release_name": (album or "").strip() or None,
    }
    if album:
        ids = {"recording_msid": recording_msid(artist.strip(), track.strip(), album.strip())}
    else:
        [ids, *_] = await run_in_threadpool(_recordings, ctx, user, artist.strip(), track.strip())
    await feedback.keep(ctx, Feedback(user_name=user, score=1, **names, **ids))


async def unlove(ctx: Context, user: str, artist: str, track: str) -> None:
    """Take back the loves of all recordings of these names.

    Raises
    ------
    NotWritten
        If Kafka does not acknowledge.
    """
    for ids in await run_in_threadpool(_loved, ctx, user, artist, track):
        await feedback.keep(ctx, Feedback(user_name=user, score=0, **ids))


def _loved(ctx: Context, user: str, artist: str, track: str) -> list[Ids]:
    known = {value for ids in _recordings(ctx, user, artist, track) for value in ids.values()}
    loves = [each for each in ctx.feedback.of_recordings(user, known) if each.score == 1]
    return [_ids(each.recording_mbid, each.recording_msid)[0] for each in loves]


def _recordings(ctx: Context, user: str, artist: str, track: str) -> list[Ids]:
    """Find the ids of what the user calls so: of what plays, of the newest listens, and without an album."""
    wanted = (artist.casefold(), track.casefold())
    found: list[Ids] = []
    playing = ctx.playing_now.get(user)
    if playing and (playing["artist_name"].casefold(), playing["track_name"].casefold()) == wanted:
        info = playing["additional_info"]
        album = playing.get("release_name")
        found += _ids(info.get("recording_mbid"), recording_msid(artist, track, album))
    for event in ctx.store.of_user(user, count=SEARCHED_LISTENS):
        if ((event.artist_name or "").casefold(), (event.track_name or "").casefold()) == wanted:
            found += _ids(event.recording_mbid, event.recording_msid)
    found += _ids(None, recording_msid(artist, track, None))
    return found


def _ids(mbid: str | None, msid: str | None) -> list[Ids]:
    ids = {"recording_mbid": mbid, "recording_msid": msid}
    return [{name: value} for name, value in ids.items() if value is not None]
