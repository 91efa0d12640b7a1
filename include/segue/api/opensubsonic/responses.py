"""Responses of ``/rest``: the envelope of Subsonic in JSON and XML, and its error codes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi.responses import JSONResponse, Response

from segue.api.errors import RETRY_AFTER_S
from segue.api.xml_text import xml_text

Payload = Mapping[str, Any]

PROTOCOL: Final = "1.16.1"
NAMESPACE: Final = "http://subsonic.org/restapi"


class Code(IntEnum):
    """Error codes of Subsonic and of OpenSubsonic."""

    GENERIC = 0
    PARAMETER_MISSING = 10
    WRONG_CREDENTIALS = 40
    NO_SALTED_PASSWORDS = 41
    SEVERAL_SIGN_INS = 43
    INVALID_API_KEY = 44
    NOT_FOUND = 70


class SubsonicError(Exception):
    """A call is refused.

    Parameters
    ----------
    code
        Error code of the protocol.
    message
        Sentence for people.
    status
        HTTP status. Subsonic's own errors have 200.
    """

    def __init__(self, code: Code, message: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def ok(payload: Payload, *, json: bool) -> Response:
    """Build the response of a call that has succeeded."""
    return _response("ok", payload, HTTPStatus.OK, json=json)


def failed(error: SubsonicError, *, json: bool) -> Response:
    """Build the response of a call that is refused."""
    payload = {"error": {"code": int(error.code), "message": error.message}}
    answer = _response("failed", payload, error.status, json=json)
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = RETRY_AFTER_S
    return answer


def _response(status: str, payload: Payload, http_status: HTTPStatus, *, json: bool) -> Response:
    envelope = {
        "status": status,
        "version": PROTOCOL,
        "type": "segue",
        "serverVersion": version("segue"),
        "openSubsonic": True,
    }
    if json:
        return JSONResponse({"subsonic-response": envelope | dict(payload)}, http_status)
    root = Element("subsonic-response", {"xmlns": NAMESPACE})
    _fill(root, envelope | dict(payload))
    return Response(tostring(root, "utf-8", xml_declaration=True), http_status, media_type="text/xml")


def _fill(element: Element, fields: Payload) -> None:
    """Write plain values as attributes, objects as child elements, and each entry of a list as one of its own."""
    for name, value in fields.items():
        if not isinstance(value, Mapping | list):
            element.set(name, str(value).lower() if isinstance(value, bool) else xml_text(value))
            continue
        for entry in value if isinstance(value, list) else [value]:
            child = SubElement(element, name)
            if isinstance(entry, Mapping):
                _fill(child, entry)
            else:
                child.text = xml_text(entry)
