"""One call of a method of ``/2.0/``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request

from segue.api.access import user_of
from segue.api.audioscrobbler.responses import Code, Document, LastfmError, invalid
from segue.api.context import Context


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose API key is known, and whose signature, if any, is valid.

    Parameters
    ----------
    request, ctx
        The request, and the context of the API.
    parameters
        The parameters as text.
    signed
        Whether the call has a signature. A call with a wrong one is refused earlier.
    """

    request: Request
    ctx: Context
    parameters: Mapping[str, str]
    signed: bool

    @property
    def client(self) -> str:
        """Name of the player: the beginning of its User-Agent, or its API key."""
        name = self.request.headers.get("user-agent", "").partition("/")[0].strip()
        return name or self.parameters["api_key"]

    def required(self, name: str) -> str:
        """Return the value of a parameter.

        Raises
        ------
        LastfmError
            Code 6, if it is missing or empty.
        """
        value = self.parameters.get(name, "").strip()
        if not value:
            raise invalid(f"{name} is missing.")
        return value

    def number(self, name: str, default: int, largest: int) -> int:
        """Return the value of a parameter that is a whole number, at most `largest`.

        A larger number counts as `largest`, and a missing one as `default`.

        Raises
        ------
        LastfmError
            Code 6, if it is not a whole number.
        """
        value = self.parameters.get(name, "").strip()
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise invalid(f"{name} must be a whole number, not {value[:50]!r}.")
        return min(int(value), largest)

    async def user(self) -> str:
        """Return the user of the session, and count the request against the rate limit.

        Raises
        ------
        LastfmError
            Code 9, if the session does not exist or has ended.
        ApiError
            429, if there were too many requests.
        """
        key = self.required("sk")
        user_name = await user_of(self.request, key, self.ctx.session_cache)
        if user_name is None:
            raise LastfmError(Code.INVALID_SESSION, "it does not exist or has ended, so sign in again.")
        return user_name

    def must_be_signed(self) -> None:
        """Refuse a call without a signature.

        Raises
        ------
        LastfmError
            Code 13.
        """
        if not self.signed:
            raise LastfmError(Code.INVALID_SIGNATURE, "api_sig is missing.")


Method = Callable[[Call], Awaitable[Document]]
