"""Access to the API: tokens, rate limits, and reading the body of a request."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from functools import partial
from http import HTTPStatus
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from segue.api.accounts import TokenCache
from segue.api.context import Context
from segue.api.errors import TOO_MANY, ApiError, bad_request, not_found, unauthorized
from segue.api.optional_fields import canonical_uuid
from segue.api.rate_limits import WINDOW_S
from segue.api.throttle import Slot
from segue.listens import limits

COOKIE = "segue_session"
"""Name of the cookie of a browser that has signed in."""

_DISCARDED_BODIES = 4
"""If a body is too large, its rest is read and discarded, up to this many times the limit. Otherwise the client
would not read the response."""


def context(request: Request) -> Context:
    """Return the context of the API."""
    found: Context = request.app.state.context
    return found


def header_token(request: Request) -> str | None:
    """Return the token of the header ``Authorization: Token …`` (or Bearer), or None if there is no such header.

    Raises
    ------
    ApiError
        401, if the header has another form. Such a request counts against the limit of its address.
    """
    header = request.headers.get("authorization")
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() not in ("token", "bearer") or not token.strip():
        _count(request, *context(request).rate_limits.address(_address(request)))
        raise unauthorized("Provided Authorization header is invalid.")
    return plain_token(token.strip())


def cookie_key(request: Request) -> str | None:
    """Return the session key in the cookie of a browser that has signed in, or None.

    The cookie does not count if a page of another origin sends the request. Then the user did not mean it.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return None
    return request.cookies.get(COOKIE)


def plain_token(token: str) -> str:
    """Decode a token if it is in base64. Jellyfin's plugin encodes tokens, and sends some of them undecoded."""
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode("ascii")
    except ValueError:
        return token
    return decoded if canonical_uuid(decoded) == decoded else token


async def user_of(request: Request, token: str | None, cache: TokenCache | None = None) -> str | None:
    """Return the user of a token, and count the request against a rate limit.

    A request with a valid token counts against the limit of its user; any other request counts against the limit
    of its address. Once an address has exceeded its limit, its tokens are no longer looked up in the database,
    except tokens that were valid at their last query. So nobody can guess tokens quickly.

    A submission is never answered with 429, because players would discard it. It is delayed instead. If the token
    of a submission is not looked up, the response is 503, because the token may be valid.

    Parameters
    ----------
    request
    token
        A token, or None.
    cache
        Cache that finds the user of a token or of a session key. Default: the cache of tokens.

    Returns
    -------
    str or None
        None if the token is missing or invalid.

    Raises
    ------
    ApiError
        429, if there were too many requests. 503 with ``Retry-After``, if a submission would have to wait too
        long, or its token is not looked up.
    """
    ctx = context(request)
    address = _address(request)
    cache = cache or ctx.token_cache
    fresh, user_name = cache.fresh(token) if token else (True, None)
    if token and not fresh:
        if cache.was_valid(token) or ctx.rate_limits.may_ask(address):
            user_name = await run_in_threadpool(cache.look_up, token)
        elif request.method == "POST":
            _, request.state.headers = ctx.rate_limits.address(address)
            _send_again_after(
                request,
                WINDOW_S,
                "Your token cannot be checked now, because this address sends too many requests.",
            )
    if token is None or user_name is None:
        _count(request, *ctx.rate_limits.address(address))
        return None
    request.state.user = user_name
    request.state.current_user = partial(_current_user, cache, token)
    if request.method != "POST":
        _count(request, *ctx.rate_limits.user(user_name))
        return user_name
    await _wait(request, ctx.throttle.take(user_name), ctx.throttle.requests)
    return user_name if await is_still(request, user_name) else None


async def is_still(request: Request, user_name: str) -> bool:
    """Return whether the token of a request is still valid. Requests that take a while check it once more."""
    return bool(await request.state.current_user() == user_name)


async def _current_user(cache: TokenCache, token: str) -> str | None:
    fresh, user_name = cache.fresh(token)
    return user_name if fresh else await run_in_threadpool(cache.look_up, token)


async def _wait(request: Request, slot: Slot, requests: int) -> None:
    request.state.headers = {
        "X-RateLimit-Limit": str(requests),
        "X-RateLimit-Remaining": str(slot.remaining),
        "X-RateLimit-Reset-In": str(slot.reset_s),
        "X-RateLimit-Reset": str(int(time.time()) + slot.reset_s),
    }
    if not slot.allowed:
        _send_again_after(request, math.ceil(slot.wait_s), "You submit faster than your rate limit.")
    await asyncio.sleep(slot.wait_s)


def _send_again_after(request: Request, seconds: int, why: str) -> NoReturn:
    request.state.headers["Retry-After"] = str(seconds)
    raise ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE, f"{why} Send this request again after the seconds in Retry-After."
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _count(request: Request, allowed: bool, headers: dict[str, str]) -> None:
    request.state.headers = headers
    if not allowed:
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY)


async def authorized(request: Request) -> str:
    """Return the user of the request's token, or of the session in its cookie.

    Raises
    ------
    ApiError
        401, if the token is missing or invalid.
    """
    if (token := header_token(request)) is not None:
        user_name = await user_of(request, token)
    elif (token := cookie_key(request)) is not None:
        user_name = await user_of(request, token, context(request).session_cache)
    else:
        await user_of(request, None)
        raise unauthorized("You need to provide an Authorization header.")
    if user_name is None:
        raise unauthorized("Invalid authorization token.")
    return user_name


async def owner(request: Request, user_name: str, asking: Annotated[str, Depends(authorized)]) -> str:
    """Return the user whose private data is requested; the case of the name is ignored.

    Raises
    ------
    ApiError
        403, if the token is another user's; 404, if there is no such user.
    """
    if user_name == asking:
        return asking
    found = await run_in_threadpool(context(request).accounts.find, user_name)
    if found is None:
        raise not_found(f"Cannot find user: {user_name}")
    if found.user_name != asking:
        raise ApiError(HTTPStatus.FORBIDDEN, "A token gives access to the data of its own user only.")
    return asking


async def reader(request: Request, user_name: str) -> str:
    """Return the user whose data is requested, if the data is public or the token is the user's own.

    Raises
    ------
    ApiError
        If the data is not public: 401 without a token; 403 or 404 with the token of another user.
    """
    named = header_token(request) or cookie_key(request)
    asking = await authorized(request) if named else await user_of(request, None)
    if user_name == asking:
        return asking
    found = await run_in_threadpool(context(request).accounts.find, user_name)
    if found is not None and found.public:
        return found.user_name
    if asking is None:
        raise unauthorized("You need to provide an Authorization header.")
    return await owner(request, user_name, asking)


async def read_body(request: Request, max_bytes: int = limits.MAX_BODY_BYTES) -> bytes:
    """Read the body, limited in size and time.

    Parameters
    ----------
    request
    max_bytes
        Largest size. Default: what ListenBrainz accepts.

    Raises
    ------
    ApiError
        400, if the body is too large or the client disconnects; 408, if it takes too long; 503, if too many other
        large bodies arrive.
    """
    chunks, size = [], 0
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= max_bytes:
                    chunks.append(chunk)
                elif size > _DISCARDED_BODIES * max_bytes:
                    break
    except TimeoutError:
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.") from None
    except ClientDisconnect:
        raise bad_request("The request was cut off.") from None  # the client has gone; only the metrics show this
    if size > max_bytes:
        raise bad_request(f"Payload too large. Payload cannot exceed {max_bytes} bytes")
    return b"".join(chunks)


User = Annotated[str, Depends(authorized)]
Owner = Annotated[str, Depends(owner)]
Reader = Annotated[str, Depends(reader)]


async def body_of_user(request: Request, user: User) -> bytes:
    """Read the body of a user's request. The token must still be valid when the last byte has arrived.

    Raises
    ------
    ApiError
        As `read_body`. 401, if the token has been revoked meanwhile.
    """
    body = await read_body(request)
    if not await is_still(request, user):
        raise unauthorized("Invalid authorization token.")
    return body


Body = Annotated[bytes, Depends(body_of_user)]
Ctx = Annotated[Context, Depends(context)]
