"""Sign in a Subsonic client with a token of Segue."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request

from segue.api.access import plain_token, user_of
from segue.api.opensubsonic.responses import Code, SubsonicError


async def signed_in(request: Request, parameters: Mapping[str, str]) -> str:
    """Return the user of a call.

    Parameters
    ----------
    request
    parameters
        ``apiKey`` is a token of Segue. Clients that do not know API keys send ``u``, the user, and ``p``, the
        token as it is or in hexadecimal after ``enc:``.

    Returns
    -------
    str
        Name of the user.

    Raises
    ------
    SubsonicError
        If the client is not signed in, or uses salted passwords.
    ApiError
        As `user_of`.
    """
    key = parameters.get("apiKey")
    if key is not None:
        if not parameters.keys().isdisjoint(("u", "p", "t", "s")):
            raise SubsonicError(Code.SEVERAL_SIGN_INS, "Sign in either by apiKey or by user and password.")
        user = await user_of(request, plain_token(key))
        if user is None:
            raise SubsonicError(
                Code.INVALID_API_KEY, "Segue does not know this API key; `segue users` makes tokens."
            )
        return user
    if "t" in parameters or "s" in parameters:
        raise SubsonicError(
            Code.NO_SALTED_PASSWORDS,
            "Segue keeps only hashes of its tokens, so it cannot check a salted password. Use the token as API "
            "key, or let the client send it as plain password.",
        )
    name, password = parameters.get("u"), parameters.get("p")
    if not name or not password:
        raise SubsonicError(Code.PARAMETER_MISSING, "A parameter is missing: apiKey, or u and p.")
    user = await user_of(request, plain_token(_plain(password)))
    if user is None or user.casefold() != name.casefold():
        raise SubsonicError(
            Code.WRONG_CREDENTIALS, "Wrong user name, or the password is not a token of this user."
        )
    return user


def _plain(password: str) -> str:
    scheme, colon, rest = password.partition(":")
    if scheme != "enc" or not colon:
        return password
    try:
        return bytes.fromhex(rest).decode()
    except ValueError:
        raise SubsonicError(
            Code.WRONG_CREDENTIALS, "What follows enc: in the password is not hexadecimal."
        ) from None
