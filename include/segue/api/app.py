"""The FastAPI application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from segue.api import (
    audioscrobbler,
    elsewhere,
    errors,
    feedback,
    health,
    looking_up,
    reading,
    recommendations,
    schemas,
    statistics,
    submitting,
    wire,
)
from segue.api.base_urls import AnyBaseUrl
from segue.api.caching import Lately
from segue.api.context import Context
from segue.api.observation import Observation
from segue.settings import Settings, get_settings

DESCRIPTION = """Point the scrobbler you already have at this server instead of `api.listenbrainz.org`, with a
token of `segue users add`. A listen that was answered with 200, and is not among the `refused` of the answer, is
in Kafka; anything else may be sent again without harm.

Every request but `/health`, `/metrics` and these pages carries `Authorization: Token …`. What a user has made
public (`segue users public`) can be read without.
"""

BODIES: tuple[type[BaseModel], ...] = (
    schemas.Submission,
    schemas.DeletedListen,
    schemas.LatestImport,
    schemas.RecordingFeedback,
)


def create_app(settings: Settings | None = None, memory: health.Memory = list) -> FastAPI:
    """Make the application; its threads start and stop with it.

    Parameters
    ----------
    settings
        Default those of the environment.
    memory
        Measures what the services of the stack hold, for ``/health`` and ``/metrics``; default none.
    """
    wanted = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.context = context = Context.of(wanted)
        app.state.memory = Lately(memory)
        context.start()
        yield
        context.close()

    app = FastAPI(
        title="Segue listens API",
        description=DESCRIPTION,
        version=version("segue"),
        lifespan=lifespan,
        redirect_slashes=False,
    )
    errors.install(app)
    parts = (submitting, reading, feedback, statistics, looking_up, elsewhere, recommendations, health)
    for part in parts:
        app.include_router(part.router)
    routes = [route for part in parts for route in part.router.routes if isinstance(route, APIRoute)]
    app.add_middleware(AnyBaseUrl, paths=[route.path for route in routes])
    audioscrobbler.include(app)
    # Players in a browser, such as Web Scrobbler, come from other origins; the token is in a header, not a cookie.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=wire.NAMES,
        max_age=86_400,
    )
    app.add_middleware(Observation)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Describe the API, with the bodies that the routes read themselves and the token."""
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
                operation["responses"].pop("422", None)  # what is invalid answers 400
                if path.startswith(("/1/", "/v1/")):
                    operation["security"] = [{"token": []}]
        app.openapi_schema = described
    return app.openapi_schema
