"""The page where a user authorizes a player. It is the second step of signing in at ``/2.0/`` without a password.

The user types the token on this page. The page asks for it each time and sets no cookie, so no other web page can
authorize a player in the user's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from segue.api.access import Ctx, user_of
from segue.api.audioscrobbler.form import read_form
from segue.api.audioscrobbler.responses import LastfmError
from segue.api.audioscrobbler.sign_in import is_request_token, new_request_token
from segue.api.context import Context

router = APIRouter(include_in_schema=False)

_pages = Environment(loader=PackageLoader("segue.api"), autoescape=True, undefined=StrictUndefined)
_page = _pages.get_template("authorize.html.j2")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@router.get("/api/auth")
@router.get("/api/auth/")
async def form(request: Request, ctx: Ctx) -> HTMLResponse:
    """Show the form that asks for the user's token."""
    return _show(request.query_params, _wrong(ctx, request.query_params))


@router.post("/api/auth")
@router.post("/api/auth/")
async def authorize(request: Request, ctx: Ctx) -> HTMLResponse:
    """Authorize the player, if the token is valid."""
    try:
        given = (await read_form(request)).text
    except LastfmError as refused:
        return _show({}, refused.message)
    if wrong := _wrong(ctx, given):
        return _show(given, wrong)
    request_token = given.get("token") or new_request_token()
    token = given.get("user_token", "").strip()
    user = await user_of(request, token or None)
    if user is None or not await run_in_threadpool(ctx.sessions.open_by_token, user, token, request_token):
        return _show(given, None, problem="This token is not valid. Try again.")
    callback = given.get("cb", "")
    onward = f"{callback}{'&' if '?' in callback else '?'}{urlencode({'token': request_token})}"
    return _show(given, None, user=user, onward=onward if callback else "")


def _wrong(ctx: Context, given: Mapping[str, str]) -> str | None:
    """Return the error of a request that no token can correct, or None."""
    if given.get("api_key", "") not in ctx.settings.lastfm_secrets:
        return "This server does not know the player's API key. Its operator can add the key to SEGUE_LASTFM_KEYS."
    token, callback = given.get("token", ""), given.get("cb", "")
    if token and not is_request_token(token):
        return "The player's request is too old, or was made for another server. Start again in the player."
    if callback and not _host(callback):
        return "The address to return to is not a web address. Start again in the player."
    if not token and not callback:
        return "The player sent neither a request token nor an address to return to. Start again in the player."
    return None


def _host(url: str) -> str:
    """Return host and port of a web address, or an empty string if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else ""


def _show(given: Mapping[str, str], wrong: str | None, **state: Any) -> HTMLResponse:
    page = _page.render(
        wrong=wrong,
        hidden={name: given[name] for name in ("api_key", "token", "cb") if given.get(name)},
        player=given.get("api_key", ""),
        destination=_host(given.get("cb", "")),
        **{"problem": "", "user": "", "onward": "", **state},
    )
    status = HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.FORBIDDEN if state.get("problem") else HTTPStatus.OK
    return HTMLResponse(page, status, HEADERS)
