"""The methods of ``/2.0/`` that write and read plays and loves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi.concurrency import run_in_threadpool

from segue.api.access import user_of
from segue.api.audioscrobbler import signing_in
from segue.api.audioscrobbler.answers import Code, Document, Refused
from segue.api.audioscrobbler.call import Call, Method
from segue.api.audioscrobbler.loves import love, unlove
from segue.api.audioscrobbler.scrobbles import Scrobble, keep_scrobbles, note_playing, scrobbles_in
from segue.listens.events import Listen

DEFAULT_TRACKS = 50
MAX_TRACKS = 200
MAX_PAGE = 100_000
LATEST = 2**53


async def scrobble(call: Call) -> Document:
    """Keep plays; what is answered as accepted is in Kafka."""
    user = await _writer(call)
    told = scrobbles_in(call.parameters)
    reasons = await keep_scrobbles(call.request, call.ctx, user, told, call.client)
    answers = [_answer(*each) for each in zip(told, reasons, strict=True)]
    ignored = sum(reason is not None for reason in reasons)
    counts = {"accepted": len(told) - ignored, "ignored": ignored}
    return {"scrobbles": {"@attr": counts, "scrobble": answers if len(answers) > 1 else answers[0]}}


async def update_now_playing(call: Call) -> Document:
    """Note what plays."""
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
    """Take a love back."""
    user = await _writer(call)
    await unlove(call.ctx, user, call.required("artist"), call.required("track"))
    return {}


async def get_recent_tracks(call: Call) -> Document:
    """Read the user's listens, the newest first, after what plays now, which is never public."""
    user, is_asking = await _reader(call)
    count = call.number("limit", DEFAULT_TRACKS, MAX_TRACKS) or DEFAULT_TRACKS
    page = call.number("page", 1, MAX_PAGE) or 1
    bounds = {"after": call.number("from", 0, LATEST) - 1, "before": call.number("to", LATEST, LATEST) + 1}
    store, offset = call.ctx.store, (page - 1) * count
    found = await run_in_threadpool(lambda: store.of_user(user, **bounds, count=count, offset=offset))
    total = await run_in_threadpool(lambda: store.count(user, **bounds))
    playing = await run_in_threadpool(call.ctx.playing_now.get, user) if is_asking and page == 1 else None
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
    """Tell what there is to tell of the user."""
    user, _ = await _reader(call)
    total = await run_in_threadpool(call.ctx.store.count, user)
    account = await run_in_threadpool(call.ctx.accounts.find, user)
    since = int(account.created_at.timestamp()) if account else 0
    told: dict[str, Any] = {
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
    return {"user": told}


METHODS: dict[str, Method] = {
    "auth.getmobilesession": signing_in.get_mobile_session,
    "auth.gettoken": signing_in.get_token,
    "auth.getsession": signing_in.get_session,
    "track.scrobble": scrobble,
    "track.updatenowplaying": update_now_playing,
    "track.love": love_track,
    "track.unlove": unlove_track,
    "user.getrecenttracks": get_recent_tracks,
    "user.getinfo": get_info,
}
"""By name in small letters, since players write them in any case."""

POSTED = frozenset({"auth.getmobilesession"} | {name for name in METHODS if name.startswith("track.")})
"""What is taken from a POST only: a password, and what changes something."""


async def _writer(call: Call) -> str:
    call.must_be_signed()
    return await call.user()


async def _reader(call: Call) -> tuple[str, bool]:
    """Name the user who is read, and tell whether they ask themselves; others read what is public only.

    Some players do not sign what they read, so the session is enough.
    """
    wanted = call.parameters.get("user", "").strip()
    asking = await call.user() if call.parameters.get("sk") else await user_of(call.request, None)
    if asking and (not wanted or wanted.casefold() == asking.casefold()):
        return asking, True
    account = await run_in_threadpool(call.ctx.accounts.find, wanted)
    if account is None or not account.public:
        raise Refused(Code.LOGIN_REQUIRED, "only the user may read this, so send the session as sk.")
    return account.user_name, False


def _answer(told: Scrobble, reason: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        name: {"corrected": "0", "#text": told.get(name, "")}
        for name in ("artist", "track", "album", "albumArtist")
    }
    if "timestamp" in told:
        answer["timestamp"] = told["timestamp"]
    return answer | {"ignoredMessage": {"code": _ignored(told, reason), "#text": reason or ""}}


def _ignored(told: Scrobble, reason: str | None) -> str:
    """Choose Last.fm's code: 0 kept, 1 artist, 2 track, 3 time too old, 4 time too new."""
    if reason is None:
        return "0"
    if not told.get("artist", "").strip():
        return "1"
    if not told.get("track", "").strip():
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
