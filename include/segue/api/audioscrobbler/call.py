"""One call of a method of ``/2.0/``: what every method needs to know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request

from segue.api.access import user_of
from segue.api.audioscrobbler.answers import Code, Document, Refused, invalid
from segue.api.context import Context


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose API key is known, and whose signature has been checked if there is one.

    Parameters
    ----------
    request, ctx
        The request and what it works with.
    parameters
        As text.
    signed
        Whether it has a signature; a wrong one never comes so far.
    """

    request: Request
    ctx: Context
    parameters: Mapping[str, str]
    signed: bool

    @property
    def client(self) -> str:
        """What the player calls itself: its User-Agent's first word, or its API key."""
        product = self.request.headers.get("user-agent", "").partition("/")[0].strip()
        return product or self.parameters["api_key"]

    def required(self, name: str) -> str:
        """Return a parameter.

        Raises
        ------
        Refused
            With code 6, if it is missing or empty.
        """
        value = self.parameters.get(name, "").strip()
        if not value:
            raise invalid(f"{name} is missing.")
        return value

    def number(self, name: str, default: int, largest: int) -> int:
        """Return a parameter that is a whole number from 0 to `largest`.

        Raises
        ------
        Refused
            With code 6, if it is none; a larger one counts as `largest`.
        """
        value = self.parameters.get(name, "").strip()
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise invalid(f"{name} must be a whole number, not {value[:50]!r}.")
        return min(int(value), largest)

    async def user(self) -> str:
        """Name the user of the session, and count the request.

        Raises
        ------
        Refused
            With code 9, if there is no such session, or no longer.
        ApiError
            429, if there were too many requests.
        """
        key = self.required("sk")
        user_name = await user_of(self.request, key, self.ctx.remembered_sessions)
        if user_name is None:
            raise Refused(Code.INVALID_SESSION, "it has ended or never was, so sign in again.")
        return user_name

    def must_be_signed(self) -> None:
        """Refuse a call without a signature.

        Raises
        ------
        Refused
            With code 13.
        """
        if not self.signed:
            raise Refused(Code.INVALID_SIGNATURE, "api_sig is missing.")


Method = Callable[[Call], Awaitable[Document]]
