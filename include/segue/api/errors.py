"""What the API answers when it refuses: ListenBrainz's JSON object with ``code`` and ``error``."""

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


class ApiError(Exception):
    """A request that is refused, and why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadListenError(Exception):
    """A listen that cannot be taken, with the sentence for the player; others of the request may be good."""


def bad_request(message: str) -> ApiError:
    """Answer 400: the client must send something else."""
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def unauthorized(message: str) -> ApiError:
    """Answer 401: no token, or none that is valid."""
    return ApiError(HTTPStatus.UNAUTHORIZED, message)


def not_found(message: str) -> ApiError:
    """Answer 404."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def body(
    status: int, message: str, headers: dict[str, str] | None = None, *, more: Mapping[str, Any] | None = None
) -> JSONResponse:
    """Put an error into ListenBrainz's form, with `more` beside it."""
    return JSONResponse({"code": status, "error": message} | dict(more or {}), status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Give every error of `app` that form."""

    async def refused(_: Request, error: ApiError) -> JSONResponse:
        headers = {"WWW-Authenticate": "Token"} if error.status is HTTPStatus.UNAUTHORIZED else None
        return body(error.status, error.message, headers)

    async def not_written(_: Request, error: NotWritten) -> JSONResponse:
        log.warning("%s", error)
        return body(503, "Cannot submit to queue, please try again later.", {"Retry-After": RETRY_AFTER_S})

    async def no_database(_: Request, error: PyMongoError) -> JSONResponse:
        log.warning("MongoDB: %s", error)
        return body(503, "The database is away, please try again later.", {"Retry-After": RETRY_AFTER_S})

    async def invalid_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return body(400, f"Invalid {first['loc'][-1]}: {first['msg']}")

    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return body(error.status_code, error.detail, dict(error.headers or {}))

    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        return body(500, "An error occurred that is Segue's own: its log tells more.")  # Starlette raises it on

    for kind, handler in (
        (ApiError, refused),
        (NotWritten, not_written),
        (PyMongoError, no_database),
        (RequestValidationError, invalid_parameter),
        (HTTPException, http_error),
        (Exception, unexpected),
    ):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # each handler takes its own kind
