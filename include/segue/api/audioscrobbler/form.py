"""Read the parameters of a request, from query and form, within limits; compute the signature over them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import Request

from segue.api.access import read_body
from segue.api.audioscrobbler.responses import Code, LastfmError, invalid
from segue.api.errors import ApiError

MAX_FORM_BYTES = 2_000_000
"""Size of fifty scrobbles with the longest names allowed, percent-encoded."""

MAX_FIELDS = 1_000
"""Fifty scrobbles, each with at most a dozen fields, have fewer."""

FORM = "application/x-www-form-urlencoded"

_UNSIGNED = (b"api_sig", b"format", b"callback")


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of a request, as bytes (which the signature needs) and as text.

    Parameters
    ----------
    raw
        Percent-decoded names and values. If a name occurs twice, the last value counts.
    """

    raw: Mapping[bytes, bytes]

    @property
    def text(self) -> dict[str, str]:
        """The parameters as text: UTF-8, or Latin-1, which old players send."""
        return {_decoded(name): _decoded(value) for name, value in self.raw.items()}

    def signature(self, secret: str) -> str:
        """Return the signature: the MD5 of each name and value, sorted by name, followed by the secret."""
        signed = b"".join(name + self.raw[name] for name in sorted(self.raw) if name not in _UNSIGNED)
        return hashlib.md5(signed + secret.encode(), usedforsecurity=False).hexdigest()

    def is_signed_with(self, secret: str) -> bool:
        """Return whether ``api_sig`` is the right signature."""
        given = self.raw.get(b"api_sig", b"").lower()
        return hmac.compare_digest(given, self.signature(secret).encode())


async def read_form(request: Request) -> Form:
    """Read the parameters of query and body.

    Raises
    ------
    LastfmError
        Code 6, if the body is no form, is too large or has too many fields; code 16, if it takes too long, or too
        many other large bodies arrive.
    """
    query = request.scope["query_string"]
    if request.method != "POST":
        return Form(_pairs(query))
    content_type = (request.headers.get("content-type") or FORM).partition(";")[0].strip().lower()
    try:
        body = await read_body(request, MAX_FORM_BYTES)
    except ApiError as error:
        if error.status is HTTPStatus.BAD_REQUEST:
            raise invalid(
                f"the request is too large, at most {MAX_FORM_BYTES} bytes are allowed.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            ) from None
        raise LastfmError(Code.TRY_AGAIN, error.message, error.status) from None
    if body and content_type != FORM:
        raise invalid(
            f"send them as {FORM}, because {content_type[:100]} is not supported.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    return Form(_pairs(query) | _pairs(body))


def _pairs(encoded: bytes) -> dict[bytes, bytes]:
    try:
        pairs = parse_qsl(
            encoded.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise invalid(f"there are too many, at most {MAX_FIELDS} are allowed.") from None
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in pairs}


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
