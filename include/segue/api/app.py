"""The FastAPI application with all its routes and middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from segue.api import (
    audiomuse,
    audioscrobbler,
    errors,
    feedback,
    health,
    http_protocol,
    metadata_lookup,
    pages,
    playlists,
    reading,
    recommendations,
    schemas,
    sign_in,
    sound_map,
    statistics,
    submitting,
    tracks,
    unsupported,
)
from segue.api.base_urls import AnyBaseUrl
from segue.api.caching import CachedValue
from segue.api.context import Context
from segue.api.large_bodies import LargeBodies
from segue.api.observability import RequestObserver
from segue.api.opensubsonic import calls
from segue.api.rate_limits import CountTheRest
from segue.settings import Settings, get_settings

DESCRIPTION = """Configure your scrobbler to use this server instead of `api.listenbrainz.org`, with a token that
`segue users add` prints. If the status of a submission is 200, Kafka has every listen that is not in `refused`.
Sending a listen again does no harm.

All requests need the header `Authorization: Token …`, except `/health`, `/metrics`, these pages, and requests for
data that a user has made public with `segue users public`.
"""

BODIES: tuple[type[BaseModel], ...] = (
    schemas.SubmitListens,
    schemas.DeletedListen,
    schemas.LatestImport,
    schemas.RecordingFeedback,
)


def create_app(settings: Settings | None = None, memory: health.Memory = list) -> FastAPI:
    """Create the application. Its threads start and stop with it.

    Parameters
    ----------
    settings
        By default, those of the environment.
    memory
        Measures the memory of the stack's services for ``/health`` and ``/metrics``. By default, none is measured.
    """
    wanted = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.context = context = Context.from_settings(wanted)
        app.state.memory = CachedValue(memory)
        context.start()
        yield
        context.close()

    # Its documentation pages need no Internet.
    app = FastAPIOffline(
        title="Segue listens API",
        description=DESCRIPTION,
        version=version("segue"),
        lifespan=lifespan,
        redirect_slashes=False,
    )
    errors.install(app)
    parts = (
        submitting,
        reading,
        feedback,
        statistics,
        metadata_lookup,
        unsupported,
        recommendations,
        sign_in,
        playlists,
        tracks,
        sound_map,
        audiomuse,
        health,
        pages,
    )
    for part in parts:
        app.include_router(part.router)
    routes = [route for part in parts for route in part.router.routes if isinstance(route, APIRoute)]
    app.add_middleware(AnyBaseUrl, paths=[route.path for route in routes])
    app.mount("/static", pages.BuiltFiles(), name="static")
    audioscrobbler.include(app)
    app.include_router(calls.router)
    # Players in a browser, such as Web Scrobbler, send requests from other origins. That is safe: their token is
    # in a header. The cookie of the listener's page is of no use to other origins, because credentials are not
    # allowed here.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=http_protocol.HEADER_NAMES,
        max_age=86_400,
    )
    app.add_middleware(LargeBodies)
    app.add_middleware(CountTheRest, uncounted=health.PATHS)
    app.add_middleware(RequestObserver)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Build the OpenAPI description, and add the token and the bodies that the routes parse themselves."""
    if app.openapi_schema is None:
        described = FastAPI.openapi(app)
        _, definitions = models_json_schema(
            [(model, "validation") for model in BODIES], ref_template="#/components/schemas/{model}"
        )
        components = described.setdefault("components", {})
        components.setdefault("schemas", {}).update(definitions["$defs"])
        components["securitySchemes"] = {"token": {"type": "apiKey", "in": "header", "name": "Authorization"}}
        for path, operations in described["paths"].items():
            for operation in operations.values():
                operation["responses"].pop("422", None)  # invalid parameters are answered with 400
                if path.startswith(("/1/", "/v1/", "/api/")):
                    operation["security"] = [{"token": []}]
        app.openapi_schema = described
    return app.openapi_schema
