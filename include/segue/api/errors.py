"""Error responses of the API: ListenBrainz's JSON object with ``code`` and ``error``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException

from segue.listens.writer import NotWritten

log = logging.getLogger(__name__)

RETRY_AFTER_S = "5"

TOO_MANY = (
    "You have exceeded your rate limit. See the X-RateLimit-* response headers for more information on your "
    "current rate limit."
)


class ApiError(Exception):
    """A request is refused; the message says why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadListenError(Exception):
    """One listen of a request is refused; the message is for the player."""


def bad_request(message: str) -> ApiError:
    """Return the error 400: the request is wrong."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def unauthorized(message: str) -> ApiError:
    """Return the error 401: the token is missing or invalid."""
    return ApiError(HTTPStatus.UNAUTHORIZED, message)


def not_found(message: str) -> ApiError:
    """Return the error 404."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def error_response(
    status: int, message: str, headers: dict[str, str] | None = None, *, more: Mapping[str, Any] | None = None
) -> JSONResponse:
    """Build a response in ListenBrainz's form; `more` are further keys of the JSON object."""
    return JSONResponse({"code": status, "error": message} | dict(more or {}), status_code=status, headers=headers)


_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Token"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": RETRY_AFTER_S},
}


def install(app: FastAPI) -> None:
    """Make `app` answer every error in ListenBrainz's form."""

    async def refused(_: Request, error: ApiError) -> JSONResponse:
        return error_response(error.status, error.message, _HEADERS.get(error.status))

    async def not_written(_: Request, error: NotWritten) -> JSONResponse:
        log.warning("%s", error)
        return error_response(
            503, "Cannot submit to queue, please try again later.", {"Retry-After": RETRY_AFTER_S}
        )

    async def no_database(_: Request, error: PyMongoError) -> JSONResponse:
        log.warning("MongoDB: %s", error)
        return error_response(
            503, "The database is unavailable, please try again later.", {"Retry-After": RETRY_AFTER_S}
        )

    async def invalid_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return error_response(400, f"Invalid {first['loc'][-1]}: {first['msg']}")

    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, error.detail, dict(error.headers or {}))

    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        return error_response(
            500, "An internal error occurred. The log of Segue has the details."
        )  # Starlette raises it again

    for kind, handler in (
        (ApiError, refused),
        (NotWritten, not_written),
        (PyMongoError, no_database),
        (RequestValidationError, invalid_parameter),
        (HTTPException, http_error),
        (Exception, unexpected),
    ):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # each handler takes its own kind
