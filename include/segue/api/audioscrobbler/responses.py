"""Responses of ``/2.0/``: Last.fm's JSON and XML, and its error codes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi.responses import JSONResponse, Response

from segue.api.errors import RETRY_AFTER_S
from segue.api.xml_text import xml_text

Document = Mapping[str, Any]


class Code(IntEnum):
    """Last.fm's error codes. Players repeat a scrobble only after code 16, or after code 9 and a new sign-in."""

    INVALID_METHOD = 3
    AUTHENTICATION_FAILED = 4
    INVALID_PARAMETERS = 6
    INVALID_SESSION = 9
    INVALID_API_KEY = 10
    INVALID_SIGNATURE = 13
    UNAUTHORIZED_TOKEN = 14
    EXPIRED_TOKEN = 15
    TRY_AGAIN = 16
    LOGIN_REQUIRED = 17
    RATE_LIMIT = 29


_WORDS = {
    Code.INVALID_METHOD: "Invalid method",
    Code.AUTHENTICATION_FAILED: "Authentication failed",
    Code.INVALID_PARAMETERS: "Invalid parameters",
    Code.INVALID_SESSION: "Invalid session key",
    Code.INVALID_API_KEY: "Invalid API key",
    Code.INVALID_SIGNATURE: "Invalid method signature",
    Code.UNAUTHORIZED_TOKEN: "Unauthorized token",
    Code.EXPIRED_TOKEN: "Expired token",
    Code.TRY_AGAIN: "The service is temporarily unavailable",
    Code.LOGIN_REQUIRED: "Login required",
    Code.RATE_LIMIT: "Rate limit exceeded",
}
"""Last.fm's messages. Some players look for these instead of the code."""

_STATUS = {
    Code.INVALID_METHOD: HTTPStatus.BAD_REQUEST,
    Code.INVALID_PARAMETERS: HTTPStatus.BAD_REQUEST,
    Code.TRY_AGAIN: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.RATE_LIMIT: HTTPStatus.TOO_MANY_REQUESTS,
}


class LastfmError(Exception):
    """A request is refused.

    Parameters
    ----------
    code
        Last.fm's error code.
    message
        An explanation for people. It is appended to Last.fm's message for the code.
    status
        HTTP status. By default, the status of the code, which is 403 for codes of authentication.
    """

    def __init__(self, code: Code, message: str, status: HTTPStatus | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = f"{_WORDS[code]}: {message}"
        self.status = status or _STATUS.get(code, HTTPStatus.FORBIDDEN)


def invalid(message: str, status: HTTPStatus | None = None) -> LastfmError:
    """Return the error for a request whose parameters are wrong."""
    return LastfmError(Code.INVALID_PARAMETERS, message, status)


def ok(document: Document, *, json: bool) -> Response:
    """Build the response of a call that has succeeded."""
    return JSONResponse(dict(document)) if json else _xml("ok", document, HTTPStatus.OK)


def failed(error: LastfmError, *, json: bool) -> Response:
    """Build the response of a call that is refused."""
    if json:
        answer: Response = JSONResponse({"error": error.code, "message": error.message}, error.status)
    else:
        document = {"code": int(error.code), "#text": error.message}
        answer = _xml("failed", {"error": document}, error.status)
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = RETRY_AFTER_S
    return answer


def _xml(status: str, document: Document, http_status: HTTPStatus) -> Response:
    envelope = Element("lfm", {"status": status})
    _fill(envelope, document)
    return Response(tostring(envelope, "utf-8", xml_declaration=True), http_status, media_type="text/xml")


def _fill(element: Element, value: Any) -> None:
    """Convert a JSON value to XML as Last.fm does.

    Keys beside ``#text``, and keys in ``@attr``, become attributes.
    """
    if not isinstance(value, Mapping):
        element.text = xml_text(value)
        return
    attributes = value if "#text" in value else value.get("@attr", {})
    for name, attribute in attributes.items():
        if name == "#text":
            element.text = xml_text(attribute)
        else:
            element.set(name, xml_text(attribute))
    if "#text" in value:
        return
    for name, child in value.items():
        if name != "@attr":
            for each in child if isinstance(child, list) else [child]:
                _fill(SubElement(element, name), each)
