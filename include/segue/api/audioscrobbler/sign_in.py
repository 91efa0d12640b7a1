"""Signing in at ``/2.0/``: with the token as password, or on a page where the user authorizes the player.

A request token consists of the time and of random bits. It is not stored: when the user authorizes it, the session
that is derived from it is stored.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any

from fastapi.concurrency import run_in_threadpool

from segue.api.access import user_of
from segue.api.audioscrobbler.call import Call
from segue.api.audioscrobbler.responses import Code, Document, LastfmError
from segue.api.context import Context
from segue.api.sessions import md5_hex, session_key

REQUEST_TOKEN_S = 60 * 60
"""How long a request token can be authorized and exchanged."""


async def get_mobile_session(call: Call) -> Document:
    """Open a session for a user name and a token.

    The token is the password; if the user allows it, its MD5 is enough.
    """
    call.must_be_signed()
    user_name = call.required("username")
    if call.parameters.get("password"):
        key, user_name = await _by_password(call, user_name, call.parameters["password"])
    else:
        key, user_name = await _by_md5(call, user_name, call.required("authToken"))
    return _session(user_name, key)


async def get_token(call: Call) -> Document:
    """Return a new request token."""
    call.must_be_signed()
    await user_of(call.request, None)
    return {"token": new_request_token()}


async def get_session(call: Call) -> Document:
    """Exchange a request token that the user has authorized for a session."""
    call.must_be_signed()
    token = call.required("token")
    if not is_request_token(token):
        raise LastfmError(
            Code.EXPIRED_TOKEN, "it is older than an hour or from another server, so request another one."
        )
    key = session_key(token)
    await user_of(call.request, None)  # guesses count against the limit of the address
    user_name = await run_in_threadpool(call.ctx.sessions.of, key)  # not cached: players ask again until it exists
    if user_name is None:
        raise LastfmError(Code.UNAUTHORIZED_TOKEN, "the user has not authorized it at /api/auth/.")
    return _session(user_name, key)


def new_request_token() -> str:
    """Return a new request token: 32 hexadecimal digits, of which the first eight are the time."""
    return f"{int(time.time()):08x}{secrets.token_hex(12)}"


def is_request_token(token: str) -> bool:
    """Return whether this has the form of a request token that has not expired."""
    try:
        age_s = time.time() - int(token[:8], 16)
    except ValueError:
        return False
    return len(token) == 32 and 0 <= age_s + 1 < REQUEST_TOKEN_S


async def _by_password(call: Call, user_name: str, token: str) -> tuple[str, str]:
    found = await user_of(call.request, token)
    if found is None or found.casefold() != user_name.casefold():
        raise _wrong_credentials()
    key = await run_in_threadpool(call.ctx.sessions.open_by_token, found, token)
    if key is None:
        raise _wrong_credentials()
    return key, found


async def _by_md5(call: Call, user_name: str, given: str) -> tuple[str, str]:
    await user_of(call.request, None)  # guesses count against the limit of the address
    account, md5 = await run_in_threadpool(md5_account, call.ctx, user_name)
    if md5 is None or not hmac.compare_digest(md5_hex(user_name + md5).encode(), given.lower().encode()):
        raise _wrong_credentials()
    key = await run_in_threadpool(call.ctx.sessions.open_by_md5, account, md5)
    if key is None:
        raise _wrong_credentials()
    return key, account


def md5_account(ctx: Context, user_name: str) -> tuple[str, str | None]:
    """Return the exact name of a user, and the MD5 of the token if the user has allowed it.

    The case of the name is ignored. An unknown name is returned as it is.
    """
    account = ctx.accounts.find(user_name)
    return (account.user_name, ctx.sessions.md5_of(account.user_name)) if account else (user_name, None)


def _wrong_credentials() -> LastfmError:
    return LastfmError(
        Code.AUTHENTICATION_FAILED,
        "the user name or the password is wrong (the password is the token that `segue users add` prints), or the "
        "player signs in by MD5 and the user has not allowed that (`segue users md5`).",
    )


def _session(user_name: str, key: str) -> dict[str, Any]:
    return {"session": {"name": user_name, "key": key, "subscriber": 0}}
