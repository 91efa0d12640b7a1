"""For whoever operates the API: health and metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pymongo.errors import PyMongoError

from segue.api import metrics, retraining_metrics
from segue.api.access import Ctx
from segue.api.caching import Lately
from segue.api.context import Context
from segue.connections import kafka
from segue.errors import ServiceUnavailableError
from segue.recommender.serving.live import FRESH_S, heartbeat

KAFKA_TIMEOUT_MS = 2_000
THREADS = frozenset({"event-writer", "listen-store", "catalogue"})


class Usage(Protocol):
    """What a service of the stack holds in memory; `excess` is a sentence if it holds more than it may."""

    @property
    def service(self) -> str: ...  # noqa: D102
    @property
    def held_bytes(self) -> int: ...  # noqa: D102
    @property
    def limit_mb(self) -> int | None: ...  # noqa: D102
    @property
    def excess(self) -> str | None: ...  # noqa: D102


Memory = Callable[[], Sequence[Usage]]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ctx: Context = app.state.context
    database = ctx.mongo[ctx.settings.mongo_database]
    app.state.dependencies = Lately(lambda: _dependencies(ctx))
    app.state.retraining = Lately(lambda: retraining_metrics.measure(ctx.settings, database))
    yield


router = APIRouter(tags=["operation"], lifespan=_lifespan)


@router.get("/health", summary="How is each part?", responses={503: {"description": "A part is away."}})
async def health(request: Request, ctx: Ctx) -> JSONResponse:
    """Ask each dependency, at most every other second; 200 if listens can be taken, matched and shown, else 503.

    Two entries do not decide: ``recommendations``, as there are none before a training, and ``memory``, which
    names the services of the stack that hold more than they may.
    """
    missing = sorted(THREADS - {thread.name for thread in threading.enumerate()})
    parts = {
        **await request.app.state.dependencies(),
        "listen_store": {"ok": ctx.follower.error is None, "lag": ctx.follower.lag, "error": ctx.follower.error},
        "catalogue": {"ok": ctx.catalogue.loaded, "tracks": len(ctx.catalogue.index)},
        "threads": {"ok": not missing, "missing": missing},
    }
    healthy = all(part["ok"] for part in parts.values())
    state = {"status": "ok" if healthy else "degraded", "parts": parts, "pending_listens": ctx.writer.pending}
    state["recommendations"] = {"champion": _champion(request), "live": _live(ctx)}
    excesses = [usage.excess for usage in await request.app.state.memory() if usage.excess]
    state["memory"] = {"ok": not excesses, "errors": excesses}
    return JSONResponse(state, status_code=200 if healthy else 503)


@router.get("/metrics", summary="For Prometheus")
async def prometheus(request: Request, ctx: Ctx) -> Response:
    """Write the metrics; those of the retraining are at most two seconds old."""
    metrics.PENDING.set(ctx.writer.pending)
    metrics.CATALOGUE.set(len(ctx.catalogue.index))
    metrics.LAG.set(ctx.follower.lag if ctx.follower.lag is not None else float("nan"))
    for usage in await request.app.state.memory():
        metrics.MEMORY.labels(usage.service).set(usage.held_bytes)
        if usage.limit_mb is not None:
            metrics.MEMORY_LIMIT.labels(usage.service).set(usage.limit_mb * 10**6)
    await request.app.state.retraining()
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _dependencies(ctx: Context) -> dict[str, Any]:
    return {
        "kafka": _asked(lambda: _kafka(ctx)),
        "mongodb": _asked(lambda: ctx.mongo.admin.command("ping") and {}),
    }


def _champion(request: Request) -> dict[str, Any]:
    champion = request.app.state.recommending.champion
    served = champion.served
    return {"ok": champion.error is None, "version": served and served.version, "error": champion.error}


def _live(ctx: Context) -> dict[str, Any]:
    try:
        silent_s = time.time() - heartbeat(ctx.settings).stat().st_mtime
    except FileNotFoundError:
        return {"ok": False, "error": "it has never run here"}
    return {"ok": silent_s < FRESH_S, "silent_s": round(silent_s, 1)}


def _asked(question: Any) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        told = question()
    except (ServiceUnavailableError, PyMongoError) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"ok": True, "ms": round((time.perf_counter() - began) * 1000, 1), **told}


def _kafka(ctx: Context) -> dict[str, Any]:
    topics = [ctx.settings.listens_topic, ctx.settings.feedback_topic, ctx.settings.dead_letters_topic]
    limits = {"bootstrap_timeout_ms": KAFKA_TIMEOUT_MS, "request_timeout_ms": KAFKA_TIMEOUT_MS}
    with kafka.admin(kafka.config(ctx.settings) | limits) as admin:
        missing = sorted(set(topics) - set(admin.list_topics()))
    return {"ok": False, "error": f"topics missing: {', '.join(missing)}"} if missing else {}
