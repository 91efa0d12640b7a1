"""Who asks, and may they: tokens, rate limits, and the body of a request."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from segue.serving import limits
from segue.serving.accounts import RememberedAccounts
from segue.serving.context import Context
from segue.serving.errors import ApiError, bad_request, not_found, unauthorized

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
    return token.strip()


async def user_of(request: Request, token: str | None, remembered: RememberedAccounts | None = None) -> str | None:
    """Name the user of a token, or of another secret that `remembered` knows, and count the request.

    A valid token's requests count for its user, others for the address that they come from. When that has sent too
    many, the database is no longer asked for tokens that are not remembered: nobody guesses tokens quickly.

    Raises
    ------
    ApiError
        429, if there were too many.
    """
    ctx = context(request)
    address = _address(request)
    remembered = remembered or ctx.remembered
    known, user_name = remembered.remembered(token) if token else (True, None)
    if token and not known and ctx.rate_limits.may_ask(address):
        user_name = await run_in_threadpool(remembered.look_up, token)
    if user_name is None:
        _count(request, *ctx.rate_limits.address(address))
    else:
        _count(request, *ctx.rate_limits.user(user_name))
        request.state.user = user_name
    return user_name


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
    """Let a user read what is their own.

    Raises
    ------
    ApiError
        403 for another user's, 404 for one who does not exist.
    """
    if user_name == asking:
        return asking
    if await run_in_threadpool(context(request).accounts.exists, user_name):
        raise ApiError(HTTPStatus.FORBIDDEN, "A token reads what belongs to its own user only.")
    raise not_found(f"Cannot find user: {user_name}")


async def read_body(request: Request) -> bytes:
    """Read the body, but neither without end nor for ever.

    Raises
    ------
    ApiError
        400 for more than ListenBrainz takes, 408 from a client that is too slow.
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
    if size > limits.MAX_BODY_BYTES:
        raise bad_request(f"Payload too large. Payload cannot exceed {limits.MAX_BODY_BYTES} bytes")
    return b"".join(chunks)


User = Annotated[str, Depends(authorized)]
Owner = Annotated[str, Depends(owner)]
Body = Annotated[bytes, Depends(read_body)]
Ctx = Annotated[Context, Depends(context)]
