"""The routes below ``/rest``: one for each method, with and without ``.view``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from segue.api.access import Ctx, read_body
from segue.api.context import Context
from segue.api.errors import ApiError
from segue.api.opensubsonic import songs
from segue.api.opensubsonic.responses import Code, Payload, SubsonicError, failed, ok
from segue.api.opensubsonic.sign_in import signed_in
from segue.api.playlists import barred_now, library_of
from segue.errors import PlaylistError

router = APIRouter(include_in_schema=False)

MAX_FORM_BYTES: Final = 100_000
MAX_FIELDS: Final = 100
MAX_SONGS: Final = 500

EXTENSIONS: Final = [{"name": name, "versions": [1]} for name in ("apiKeyAuthentication", "formPost")]

Parameters = Mapping[str, str]


@router.api_route("/rest/{method}", methods=["GET", "POST"])
async def rest(request: Request, ctx: Ctx, method: str) -> Response:
    """Call a method, and answer in JSON or XML as the parameters request."""
    json = request.query_params.get("f") == "json"
    try:
        parameters = await _parameters(request)
        json = parameters.get("f", "xml") == "json"
        return ok(await _call(request, ctx, method.removesuffix(".view"), parameters), json=json)
    except SubsonicError as refused:
        return failed(refused, json=json)
    except ApiError as error:
        return failed(SubsonicError(Code.GENERIC, error.message, error.status), json=json)
    except PyMongoError:
        away = "The database is unavailable, please try again later."
        return failed(SubsonicError(Code.GENERIC, away, HTTPStatus.SERVICE_UNAVAILABLE), json=json)


async def _call(request: Request, ctx: Context, method: str, parameters: Parameters) -> Payload:
    if parameters.get("f", "xml") not in ("xml", "json"):
        raise SubsonicError(Code.GENERIC, "Segue answers in xml or json.")
    if method == "getOpenSubsonicExtensions":  # a client may ask this before it signs in
        return {"openSubsonicExtensions": EXTENSIONS}
    if method not in METHODS:
        raise SubsonicError(
            Code.GENERIC,
            f"Segue has no method {method[:50]!r}, only {', '.join(METHODS)}. Play from your media server.",
            HTTPStatus.NOT_FOUND,
        )
    user = await signed_in(request, parameters)
    try:
        return await run_in_threadpool(METHODS[method], ctx, user, parameters)
    except PlaylistError as error:
        raise SubsonicError(Code.NOT_FOUND, str(error)) from None


def _similar(ctx: Context, user: str, parameters: Parameters, name: str) -> Payload:
    found = songs.similar(library_of(ctx), _required(parameters, "id"), _count(parameters), barred_now(ctx, user))
    return {name: {"song": [songs.child(track) for track in found]}}


def _top(ctx: Context, user: str, parameters: Parameters) -> Payload:
    artist, history = _required(parameters, "artist"), ctx.store.history(user)
    found = songs.top(library_of(ctx), artist, _count(parameters), history)
    return {"topSongs": {"song": [songs.child(track) for track in found]}}


METHODS: Final[dict[str, Callable[[Context, str, Parameters], Payload]]] = {
    "ping": lambda *_: {},
    "getLicense": lambda *_: {"license": {"valid": True}},
    "tokenInfo": lambda _, user, __: {"tokenInfo": {"username": user}},
    "getSimilarSongs": lambda ctx, user, parameters: _similar(ctx, user, parameters, "similarSongs"),
    "getSimilarSongs2": lambda ctx, user, parameters: _similar(ctx, user, parameters, "similarSongs2"),
    "getTopSongs": _top,
}


def _required(parameters: Parameters, name: str) -> str:
    if not parameters.get(name):
        raise SubsonicError(Code.PARAMETER_MISSING, f"A parameter is missing: {name}.")
    return parameters[name]


def _count(parameters: Parameters) -> int:
    given = parameters.get("count", "50")
    if not given.isdecimal() or not 1 <= int(given) <= MAX_SONGS:
        raise SubsonicError(Code.GENERIC, f"count must be a number from 1 to {MAX_SONGS}, not {given[:20]!r}.")
    return int(given)


async def _parameters(request: Request) -> dict[str, str]:
    found = dict(request.query_params)
    if request.method == "POST":
        body = await read_body(request, MAX_FORM_BYTES)
        try:
            found |= parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise SubsonicError(Code.GENERIC, f"There are more than {MAX_FIELDS} parameters.") from None
    return found
