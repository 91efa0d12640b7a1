"""The parameters of a request: a query and a form, read within limits, and the signature over them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import Request

from segue.api.access import read_body
from segue.api.audioscrobbler.answers import Code, Refused, invalid
from segue.api.errors import ApiError

MAX_FORM_BYTES = 2_000_000
"""Fifty scrobbles with the longest names that are taken, percent-encoded."""

MAX_FIELDS = 1_000
"""Fifty scrobbles have at most a dozen fields each."""

FORM = "application/x-www-form-urlencoded"

_UNSIGNED = (b"api_sig", b"format", b"callback")


@dataclass(frozen=True, slots=True)
class Form:
    """Parameters as bytes, since a signature is made of bytes, and as text.

    Parameters
    ----------
    raw
        As sent, after percent-decoding. Of a parameter that came twice, the last value.
    """

    raw: Mapping[bytes, bytes]

    @property
    def text(self) -> dict[str, str]:
        """The parameters as text: UTF-8, or Latin-1 from old players that do not know better."""
        return {_decoded(name): _decoded(value) for name, value in self.raw.items()}

    def signature(self, secret: str) -> str:
        """Compute the signature: MD5 of the parameters in ASCII order, each name and value, and the secret."""
        signed = b"".join(name + self.raw[name] for name in sorted(self.raw) if name not in _UNSIGNED)
        return hashlib.md5(signed + secret.encode(), usedforsecurity=False).hexdigest()

    def is_signed_with(self, secret: str) -> bool:
        """Tell whether ``api_sig`` is right."""
        given = self.raw.get(b"api_sig", b"").lower()
        return hmac.compare_digest(given, self.signature(secret).encode())


async def read_form(request: Request) -> Form:
    """Read query and body.

    Raises
    ------
    Refused
        With code 6, for a body that is no form, is too large or has too many fields; 16 for one that is too slow.
    """
    query = request.scope["query_string"]
    if request.method != "POST":
        return Form(_pairs(query))
    content_type = (request.headers.get("content-type") or FORM).partition(";")[0].strip().lower()
    try:
        body = await read_body(request)
    except ApiError as error:
        if error.status is HTTPStatus.REQUEST_TIMEOUT:
            raise Refused(Code.TRY_AGAIN, "the request took too long to arrive.", error.status) from None
        raise invalid("the request is too large.", error.status) from None
    if body and content_type != FORM:
        raise invalid(
            f"send them as {FORM}, since {content_type[:100]} is not read here.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    if len(body) > MAX_FORM_BYTES:
        raise invalid(
            f"the request is too large, at most {MAX_FORM_BYTES} bytes are read.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    return Form(_pairs(query) | _pairs(body))


def _pairs(encoded: bytes) -> dict[bytes, bytes]:
    try:
        pairs = parse_qsl(
            encoded.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise invalid(f"there are too many, at most {MAX_FIELDS} are read.") from None
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in pairs}


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
