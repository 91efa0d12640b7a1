"""Who asks, and may they: tokens, rate limits, and the body of a request."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from http import HTTPStatus
from typing import Annotated, NoReturn

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from segue.api.accounts import RememberedAccounts
from segue.api.context import Context
from segue.api.errors import ApiError, bad_request, not_found, unauthorized
from segue.api.optional_fields import canonical_uuid
from segue.api.pace import Turn
from segue.api.rate_limits import WINDOW_S
from segue.listens import limits

_PATIENCE = 4  # times the largest body are read and thrown away, so that the client reads the answer


def context(request: Request) -> Context:
    """Return what the routes work with."""
    found: Context = request.app.state.context
    return found


def header_token(request: Request) -> str | None:
    """Take the token out of ``Authorization: Token …`` (or Bearer); None without such a header.

    Raises
    ------
    ApiError
        401, for another header; such a request counts for the address that it comes from.
    """
    header = request.headers.get("authorization")
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() not in ("token", "bearer") or not token.strip():
        _count(request, *context(request).rate_limits.address(_address(request)))
        raise unauthorized("Provided Authorization header is invalid.")
    return plain_token(token.strip())


def plain_token(token: str) -> str:
    """Undo base64: Jellyfin's plugin stores tokens in it, and sends some as they are stored."""
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode("ascii")
    except ValueError:
        return token
    return decoded if canonical_uuid(decoded) == decoded else token


async def user_of(request: Request, token: str | None, remembered: RememberedAccounts | None = None) -> str | None:
    """Name the user of a token, or of another secret that `remembered` knows, and count the request.

    A valid token's requests count for its user, others for the address that they come from. When that has sent too
    many, the database is no longer asked for tokens that were never valid: nobody guesses tokens quickly.

    What a user submits is never answered with 429, which makes players throw it away: it is slowed down. A token
    that is not looked up may be a user's, so what is submitted with it is answered with 503.

    Raises
    ------
    ApiError
        429, if there were too many; 503 with ``Retry-After``, if slowing down would take too long, or if the token
        of a submission is not looked up.
    """
    ctx = context(request)
    address = _address(request)
    remembered = remembered or ctx.remembered
    known, user_name = remembered.remembered(token) if token else (True, None)
    if token and not known:
        if user_name is not None or ctx.rate_limits.may_ask(address):
            user_name = await run_in_threadpool(remembered.look_up, token)
        elif request.method == "POST":
            _, request.state.headers = ctx.rate_limits.address(address)
            _send_again_after(
                request, WINDOW_S, "Too many requests come from this address to check your token now."
            )
    if user_name is None:
        _count(request, *ctx.rate_limits.address(address))
    else:
        request.state.user = user_name
        if request.method == "POST":
            await _wait(request, ctx.pace.take(user_name), ctx.pace.requests)
        else:
            _count(request, *ctx.rate_limits.user(user_name))
    return user_name


async def _wait(request: Request, turn: Turn, requests: int) -> None:
    request.state.headers = {
        "X-RateLimit-Limit": str(requests),
        "X-RateLimit-Remaining": str(turn.remaining),
        "X-RateLimit-Reset-In": str(turn.reset_s),
        "X-RateLimit-Reset": str(int(time.time()) + turn.reset_s),
    }
    if not turn.allowed:
        _send_again_after(request, math.ceil(turn.wait_s), "You submit faster than your rate limit.")
    await asyncio.sleep(turn.wait_s)


def _send_again_after(request: Request, seconds: int, why: str) -> NoReturn:
    request.state.headers["Retry-After"] = str(seconds)
    raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, f"{why} Send this again after the seconds in Retry-After.")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _count(request: Request, allowed: bool, headers: dict[str, str]) -> None:
    request.state.headers = headers
    if not allowed:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "You have exceeded your rate limit. See the X-RateLimit-* response headers for more information on "
            "your current rate limit.",
        )


async def authorized(request: Request) -> str:
    """Name the user who asks.

    Raises
    ------
    ApiError
        401, without a valid token.
    """
    token = header_token(request)
    user_name = await user_of(request, token)
    if token is None:
        raise unauthorized("You need to provide an Authorization header.")
    if user_name is None:
        raise unauthorized("Invalid authorization token.")
    return user_name


async def owner(request: Request, user_name: str, asking: Annotated[str, Depends(authorized)]) -> str:
    """Let a user read what is their own; the case of the name does not matter.

    Raises
    ------
    ApiError
        403 for another user's, 404 for one who does not exist.
    """
    if user_name == asking:
        return asking
    found = await run_in_threadpool(context(request).accounts.find, user_name)
    if found is None:
        raise not_found(f"Cannot find user: {user_name}")
    if found.user_name != asking:
        raise ApiError(HTTPStatus.FORBIDDEN, "A token reads what belongs to its own user only.")
    return asking


async def reader(request: Request, user_name: str) -> str:
    """Let users read what is their own, and everybody what a user has made public.

    Raises
    ------
    ApiError
        401 without a token, 403 or 404 with another user's, unless the user has made it public.
    """
    asking = await authorized(request) if header_token(request) else await user_of(request, None)
    if user_name == asking:
        return asking
    found = await run_in_threadpool(context(request).accounts.find, user_name)
    if found is not None and found.public:
        return found.user_name
    if asking is None:
        raise unauthorized("You need to provide an Authorization header.")
    return await owner(request, user_name, asking)


async def read_body(request: Request) -> bytes:
    """Read the body, but neither without end nor for ever.

    Raises
    ------
    ApiError
        400 for more than ListenBrainz takes and from a client that went away, 408 from one that is too slow.
    """
    chunks, size = [], 0
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limits.MAX_BODY_BYTES:
                    chunks.append(chunk)
                elif size > _PATIENCE * limits.MAX_BODY_BYTES:
                    break
    except TimeoutError:
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.") from None
    except ClientDisconnect:
        raise bad_request("The request was cut off.") from None  # for the metrics: nobody reads it
    if size > limits.MAX_BODY_BYTES:
        raise bad_request(f"Payload too large. Payload cannot exceed {limits.MAX_BODY_BYTES} bytes")
    return b"".join(chunks)


User = Annotated[str, Depends(authorized)]
Owner = Annotated[str, Depends(owner)]
Reader = Annotated[str, Depends(reader)]
Body = Annotated[bytes, Depends(read_body)]
Ctx = Annotated[Context, Depends(context)]
