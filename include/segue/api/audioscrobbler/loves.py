"""Love tracks by name: players of Last.fm send artist and title, while Segue stores feedback by recording id."""

from __future__ import annotations

from fastapi.concurrency import run_in_threadpool

from segue.api import feedback
from segue.api.audioscrobbler.responses import invalid
from segue.api.context import Context
from segue.api.validation import ListenType, check_listens
from segue.listens.feedback import Feedback
from segue.listens.plays import Play, recording_msid

SEARCHED_LISTENS = 1_000
"""Number of the user's newest listens that are searched: users love what is playing or has just been played."""

Ids = dict[str, str]


async def love(ctx: Context, user: str, artist: str, track: str, album: str | None = None) -> None:
    """Love a recording. Without an album, love the recording of these names that the user has played last.

    Raises
    ------
    LastfmError
        Code 6, if a listen of these names would be refused.
    NotWritten
        If Kafka does not acknowledge.
    """
    named = _named(artist, track, album)
    names = {name: getattr(named, name) for name in feedback.NAMES}
    if named.release_name:
        ids = {"recording_msid": named.recording_msid}
    else:
        [ids, *_] = await run_in_threadpool(_recordings, ctx, user, named)
    await feedback.keep(ctx, Feedback(user_name=user, score=1, **names, **ids))


async def unlove(ctx: Context, user: str, artist: str, track: str) -> None:
    """Withdraw the love of all recordings of these names.

    Raises
    ------
    LastfmError
        Code 6, if a listen of these names would be refused.
    NotWritten
        If Kafka does not acknowledge.
    """
    for ids in await run_in_threadpool(_loved, ctx, user, _named(artist, track)):
        await feedback.keep(ctx, Feedback(user_name=user, score=0, **ids))


def _named(artist: str, track: str, album: str | None = None) -> Play:
    """Normalise names as those of a listen, so that both get the same ids."""
    metadata = {"artist_name": artist, "track_name": track, "release_name": album}
    checked = check_listens([{"track_metadata": metadata}], ListenType.PLAYING_NOW)
    if checked.refused:
        raise invalid(checked.refused[0].error)
    return checked.plays[0]


def _loved(ctx: Context, user: str, named: Play) -> list[Ids]:
    known = {value for ids in _recordings(ctx, user, named) for value in ids.values()}
    loves = [each for each in ctx.feedback.of_recordings(user, known) if each.score == 1]
    return [_ids(each.recording_mbid, each.recording_msid)[0] for each in loves]


def _recordings(ctx: Context, user: str, named: Play) -> list[Ids]:
    """Return the ids of the recordings of these names.

    What is playing and the newest listens are searched. The recording without an album comes last.
    """
    artist, track = named.artist_name, named.track_name
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
