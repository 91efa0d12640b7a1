"""The methods of ``/2.0/`` that write and read plays and loved tracks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi.concurrency import run_in_threadpool

from segue.api.access import user_of
from segue.api.audioscrobbler import sign_in
from segue.api.audioscrobbler.call import Call, Method
from segue.api.audioscrobbler.loves import love, unlove
from segue.api.audioscrobbler.responses import Code, Document, LastfmError
from segue.api.audioscrobbler.scrobbles import Scrobble, keep_scrobbles, note_playing, scrobbles_in
from segue.listens.events import Listen

DEFAULT_TRACKS = 50
MAX_TRACKS = 200
MAX_PAGE = 100_000
LATEST = 2**53


async def scrobble(call: Call) -> Document:
    """Store plays. Kafka has every play that is reported as accepted."""
    user = await _writer(call)
    sent = scrobbles_in(call.parameters)
    reasons = await keep_scrobbles(call.request, call.ctx, user, sent, call.client)
    answers = [_answer(*each) for each in zip(sent, reasons, strict=True)]
    ignored = sum(reason is not None for reason in reasons)
    counts = {"accepted": len(sent) - ignored, "ignored": ignored}
    return {"scrobbles": {"@attr": counts, "scrobble": answers if len(answers) > 1 else answers[0]}}


async def update_now_playing(call: Call) -> Document:
    """Store what is playing now."""
    user = await _writer(call)
    call.required("artist")
    call.required("track")
    await note_playing(call.request, call.ctx, user, call.parameters, call.client)
    return {"nowplaying": _answer(call.parameters, None)}


async def love_track(call: Call) -> Document:
    """Love a track."""
    user = await _writer(call)
    await love(call.ctx, user, call.required("artist"), call.required("track"))
    return {}


async def unlove_track(call: Call) -> Document:
    """Withdraw the love of a track."""
    user = await _writer(call)
    await unlove(call.ctx, user, call.required("artist"), call.required("track"))
    return {}


async def get_recent_tracks(call: Call) -> Document:
    """Return the listens of a user, newest first.

    If users request their own listens, what they are playing now comes first. It is never public.
    """
    user, is_own = await _reader(call)
    count = call.number("limit", DEFAULT_TRACKS, MAX_TRACKS) or DEFAULT_TRACKS
    page = call.number("page", 1, MAX_PAGE) or 1
    bounds = {"after": call.number("from", 0, LATEST) - 1, "before": call.number("to", LATEST, LATEST) + 1}
    store, offset = call.ctx.store, (page - 1) * count
    found = await run_in_threadpool(lambda: store.of_user(user, **bounds, count=count, offset=offset))
    total = await run_in_threadpool(lambda: store.count(user, **bounds))
    playing = await run_in_threadpool(call.ctx.playing_now.get, user) if is_own and page == 1 else None
    tracks = [_playing(playing)] if playing else []
    tracks += [_track(event) for event in found]
    attributes = {
        "user": user,
        "page": str(page),
        "perPage": str(count),
        "totalPages": str(-(-total // count)),
        "total": str(total),
    }
    return {"recenttracks": {"@attr": attributes, "track": tracks}}


async def get_info(call: Call) -> Document:
    """Return what is known about a user."""
    user, _ = await _reader(call)
    total = await run_in_threadpool(call.ctx.store.count, user)
    account = await run_in_threadpool(call.ctx.accounts.find, user)
    since = int(account.created_at.timestamp()) if account else 0
    info: dict[str, Any] = {
        "name": user,
        "realname": "",
        "url": "",
        "country": "None",
        "subscriber": "0",
        "playcount": str(total),
        "playlists": "0",
        "registered": {"unixtime": str(since), "#text": str(since)},
        "type": "user",
    }
    return {"user": info}


METHODS: dict[str, Method] = {
    "auth.getmobilesession": sign_in.get_mobile_session,
    "auth.gettoken": sign_in.get_token,
    "auth.getsession": sign_in.get_session,
    "track.scrobble": scrobble,
    "track.updatenowplaying": update_now_playing,
    "track.love": love_track,
    "track.unlove": unlove_track,
    "user.getrecenttracks": get_recent_tracks,
    "user.getinfo": get_info,
}
"""Methods by their name in lower case, because players write names in any case."""

POSTED = frozenset({"auth.getmobilesession"} | {name for name in METHODS if name.startswith("track.")})
"""Methods that must be called by POST: they take a password or change data."""


async def _writer(call: Call) -> str:
    call.must_be_signed()
    return await call.user()


async def _reader(call: Call) -> tuple[str, bool]:
    """Return the user whose data is requested, and whether that user sends the request.

    Other users can read only what is public. A session is enough without a signature, because some players do not
    sign their reads.
    """
    wanted = call.parameters.get("user", "").strip()
    caller = await call.user() if call.parameters.get("sk") else await user_of(call.request, None)
    if caller and (not wanted or wanted.casefold() == caller.casefold()):
        return caller, True
    account = await run_in_threadpool(call.ctx.accounts.find, wanted)
    if account is None or not account.public:
        raise LastfmError(Code.LOGIN_REQUIRED, "this user's data is private; send a session of the user as sk.")
    return account.user_name, False


def _answer(sent: Scrobble, reason: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        name: {"corrected": "0", "#text": sent.get(name, "")}
        for name in ("artist", "track", "album", "albumArtist")
    }
    if "timestamp" in sent:
        answer["timestamp"] = sent["timestamp"]
    return answer | {"ignoredMessage": {"code": _ignored(sent, reason), "#text": reason or ""}}


def _ignored(sent: Scrobble, reason: str | None) -> str:
    """Return Last.fm's code: 0 accepted, 1 artist, 2 track, 3 timestamp too old, 4 timestamp too new."""
    if reason is None:
        return "0"
    if not sent.get("artist", "").strip():
        return "1"
    if not sent.get("track", "").strip():
        return "2"
    return "4" if "too high" in reason else "3"


def _track(event: Listen) -> dict[str, Any]:
    at = event.listened_at
    track = _named(event.artist_name, event.track_name, event.release_name, event.recording_mbid)
    return track | {"date": {"uts": str(at), "#text": f"{datetime.fromtimestamp(at, UTC):%d %b %Y, %H:%M}"}}


def _playing(metadata: dict[str, Any]) -> dict[str, Any]:
    names = (metadata["artist_name"], metadata["track_name"], metadata.get("release_name"))
    mbid = metadata["additional_info"].get("recording_mbid")
    return {"@attr": {"nowplaying": "true"}, **_named(*names, mbid)}


def _named(artist: str | None, track: str | None, album: str | None, mbid: str | None) -> dict[str, Any]:
    return {
        "artist": {"mbid": "", "#text": artist or ""},
        "name": track or "",
        "album": {"mbid": "", "#text": album or ""},
        "mbid": mbid or "",
        "streamable": "0",
        "url": "",
    }
