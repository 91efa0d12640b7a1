"""The Audioscrobbler Realtime Submission Protocol, versions 1.2 and 1.2.1, which old players speak.

A player makes a handshake at ``/``, which returns a session and two URLs. It then posts forms to these URLs. Every
response is text: the first line is for the player, the next lines are for people. The status is 200 even for a
refusal, because the protocol says so and players ignore other responses. It is 503 if the player should try again.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from pymongo.errors import PyMongoError

from segue.api import pages
from segue.api.access import Ctx, user_of
from segue.api.audioscrobbler.form import read_form
from segue.api.audioscrobbler.loves import love
from segue.api.audioscrobbler.responses import Code, LastfmError
from segue.api.audioscrobbler.scrobbles import keep_scrobbles, note_playing, scrobbles_in
from segue.api.audioscrobbler.sign_in import md5_account
from segue.api.context import Context
from segue.api.errors import RETRY_AFTER_S, ApiError
from segue.api.sessions import md5_hex
from segue.listens.writer import NotWritten

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

MAX_CLOCK_DIFFERENCE_S = 60 * 60

_NAMES = {
    "a": "artist",
    "t": "track",
    "b": "album",
    "i": "timestamp",
    "l": "duration",
    "n": "trackNumber",
    "m": "mbid",
}
_SKIPPED = ("B", "S")  # banned or skipped: not plays, according to the protocol


@router.get("/")
async def handshake(request: Request, ctx: Ctx) -> Response:
    """Open a session. Without ``hs=true``, return the page for browsers, and a greeting for others."""
    given = request.query_params
    if given.get("hs") != "true":
        if "text/html" in request.headers.get("accept", ""):
            return pages.document(Vary="Accept")
        return _text("This is the listens API of Segue: /docs describes it.")
    return await _answering(lambda: _handshake(request, ctx, given))


@router.post("/1.2/nowplaying")
async def now_playing(request: Request, ctx: Ctx) -> PlainTextResponse:
    """Store what is playing now."""

    async def note() -> PlainTextResponse:
        parameters, user = await _session(request, ctx)
        await note_playing(request, ctx, user, _renamed(parameters), _client(request))
        return _text("OK")

    return await _answering(note)


@router.post("/1.2/submissions")
async def submissions(request: Request, ctx: Ctx) -> PlainTextResponse:
    """Store plays, and love those that are marked as loved. Banned and skipped tracks are ignored."""

    async def keep() -> PlainTextResponse:
        parameters, user = await _session(request, ctx)
        sent = scrobbles_in(_renamed(parameters))
        played = [each for each in sent if each.get("r", "").upper() not in _SKIPPED]
        reasons = await keep_scrobbles(request, ctx, user, played, _client(request))
        for scrobble, reason in zip(played, reasons, strict=True):
            if reason is None and scrobble.get("r", "").upper() == "L":
                await love(ctx, user, scrobble["artist"], scrobble["track"], scrobble.get("album"))
        titles = [scrobble.get("track", "")[:100] for scrobble in played]
        return _text("OK", *(f"{t!r}: {reason}" for t, reason in zip(titles, reasons, strict=True) if reason))

    return await _answering(keep)


async def _handshake(request: Request, ctx: Context, given: Mapping[str, str]) -> PlainTextResponse:
    version = given.get("p", "")
    if not version.startswith("1.2"):
        return _text(f"FAILED Version 1.2 of the protocol is supported here, not {version[:10]!r}.")
    at = given.get("t", "")
    if not (at.isascii() and at.isdigit() and len(at) < 12):
        return _text("FAILED The handshake has no time t in seconds since 1970.")
    if abs(int(at) - time.time()) > MAX_CLOCK_DIFFERENCE_S:
        return _text("BADTIME", "The player's clock differs from the server's by more than an hour.")
    await user_of(request, None)  # guesses count against the limit of the address
    key = await run_in_threadpool(_web_session if given.get("sk") else _md5_session, ctx, given)
    if key is None:
        return _text(
            "BADAUTH",
            "The user name or the password is wrong (the password is the user's token), or the user has not "
            "allowed signing in by MD5 (`segue users md5`).",
        )
    return _text("OK", key, str(request.url_for("now_playing")), str(request.url_for("submissions")))


def _md5_session(ctx: Context, given: Mapping[str, str]) -> str | None:
    """Open a session by ``md5(md5(password) + time)``, which can be checked only if the token's MD5 is stored."""
    user_name, md5 = md5_account(ctx, given.get("u", ""))
    return ctx.sessions.open_by_md5(user_name, md5) if md5 and _proves(given, md5) else None


def _web_session(ctx: Context, given: Mapping[str, str]) -> str | None:
    """Return a session of ``/2.0/``, as version 1.2.1 allows: ``md5(shared secret + time)``."""
    secret = ctx.settings.lastfm_secrets.get(given.get("api_key", ""))
    return given["sk"] if secret and _proves(given, secret) and ctx.sessions.of(given["sk"]) else None


def _proves(given: Mapping[str, str], secret: str) -> bool:
    return hmac.compare_digest(md5_hex(secret + given["t"]).encode(), given.get("a", "").lower().encode())


async def _session(request: Request, ctx: Context) -> tuple[dict[str, str], str]:
    """Return the form of a request, and the user of its session."""
    parameters = (await read_form(request)).text
    user = await user_of(request, parameters.get("s") or None, ctx.session_cache)
    if user is None:
        raise LastfmError(Code.INVALID_SESSION, "it does not exist or has ended, so make a handshake again.")
    return parameters, user


async def _answering(answer: Callable[[], Awaitable[PlainTextResponse]]) -> PlainTextResponse:
    """Return the response, or the protocol's form of an error."""
    try:
        return await answer()
    except LastfmError as refused:
        if refused.code is Code.INVALID_SESSION:
            return _text("BADSESSION", refused.message)
        return _text(f"FAILED {refused.message}")
    except ApiError as error:  # from the rate limit, which adds its headers
        return PlainTextResponse(f"FAILED {error.message}\n", HTTPStatus.SERVICE_UNAVAILABLE)
    except (NotWritten, PyMongoError) as error:
        log.warning("%s", error)
        headers = {"Retry-After": RETRY_AFTER_S}
        message = "FAILED Listens cannot be stored right now, so send them again.\n"
        return PlainTextResponse(message, HTTPStatus.SERVICE_UNAVAILABLE, headers)


def _renamed(parameters: Mapping[str, str]) -> dict[str, str]:
    """Rename the fields to those of ``/2.0/``: ``a[0]`` becomes ``artist[0]``."""
    renamed = {}
    for name, value in parameters.items():
        letter, bracket, index = name.partition("[")
        renamed[_NAMES.get(letter, letter) + bracket + index] = value
    return renamed


def _client(request: Request) -> str:
    return request.headers.get("user-agent", "").partition("/")[0].strip() or "Audioscrobbler 1.2"


def _text(*lines: str) -> PlainTextResponse:
    return PlainTextResponse("".join(f"{line}\n" for line in lines))
