"""Routes for operators: health and metrics."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.api import metrics, pipeline_metrics, retraining_metrics
from segue.api.access import Ctx
from segue.api.caching import CachedValue
from segue.api.context import Context, full_disk
from segue.connections import durability, kafka, probes
from segue.errors import ServiceUnavailableError
from segue.listens import losses
from segue.listens.losses import STORES, Loss
from segue.recommender.serving.live import FRESH_S, heartbeat
from segue.settings import Settings

LIMITS = {"bootstrap_timeout_ms": 2_000, "request_timeout_ms": 2_000}
"""Of the clients of Kafka that answer `/health`."""
PROBE_TIMEOUT_S = 5.0
LOSSES_S = 15.0
"""The stores are compared at most this often. The lake may be an object store, which is slow to list."""
TRACKS_S = 600.0
"""The tracks are counted at most this often."""
REPLICATION_S = 60.0
PATHS = ("/health", "/metrics")
THREADS = frozenset({"event-writer", "listen-store", "catalogue", "mirror"})


class Usage(Protocol):
    """The memory of a service of the stack. `excess` is a sentence if it uses more than its limit, else None."""

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
    app.state.dependencies = CachedValue(lambda: _dependencies(ctx))
    app.state.replication = CachedValue(lambda: _replication(ctx), REPLICATION_S)
    app.state.losses = CachedValue(lambda: _losses(ctx, losses.find_at_once), LOSSES_S)
    app.state.missing_tracks = CachedValue(lambda: _losses(ctx, losses.missing_tracks), TRACKS_S)
    app.state.retraining = CachedValue(lambda: retraining_metrics.measure(ctx.settings, database))
    app.state.pipeline = CachedValue(
        lambda: pipeline_metrics.measure(ctx.settings, database), pipeline_metrics.MAX_AGE_S
    )
    yield


router = APIRouter(tags=["operation"], lifespan=_lifespan)


@router.get(PATHS[0], summary="Health of each part", responses={503: {"description": "A part is unavailable."}})
async def health(request: Request, ctx: Ctx) -> JSONResponse:
    """Report the health of each part. A probe is written to Kafka and MongoDB and read back.

    The code is 200 if listens can be accepted, matched and shown, else 503. ``status`` is then ``degraded``. It is
    ``incomplete`` if a store has lost what it held; ``stores`` says what, and which command repairs it. Three
    other entries do not affect code and status: ``recommendations``, because there are none before the first
    training; ``memory``, which lists the services of the stack that use more memory than their limit; and
    ``replication``, which names topics that Kafka stores less often than its number of brokers allows.
    """
    missing = sorted(THREADS - {thread.name for thread in threading.enumerate()})
    full = full_disk(ctx.settings)
    parts = {
        **await request.app.state.dependencies.get(),
        "listen_store": {"ok": ctx.follower.error is None, "lag": ctx.follower.lag, "error": ctx.follower.error},
        "catalogue": {"ok": ctx.catalogue.loaded, "tracks": len(ctx.catalogue.index)},
        "threads": {"ok": not missing, "missing": missing},
        "disk": {"ok": full is None, "error": full},
    }
    healthy = all(part["ok"] for part in parts.values())
    lost = await _lost(request) if parts["mongodb"]["ok"] else []
    status = "degraded" if not healthy else "incomplete" if lost else "ok"
    state = {"status": status, "parts": parts, "pending_listens": ctx.writer.pending}
    state["stores"] = {"ok": not lost, "errors": [loss.sentence for loss in lost]}
    state["recommendations"] = {"champion": _champion(request), "live": _live(ctx)}
    excesses = [usage.excess for usage in await request.app.state.memory.get() if usage.excess]
    state["memory"] = {"ok": not excesses, "errors": excesses}
    weak = await request.app.state.replication.get() if parts["kafka"]["ok"] else None
    state["replication"] = {"ok": weak is None, "error": weak}
    return JSONResponse(state, status_code=200 if healthy else 503)


@router.get(PATHS[1], summary="Metrics for Prometheus")
async def prometheus(request: Request, ctx: Ctx) -> Response:
    """Return the metrics in Prometheus' text format.

    Those of the retraining are at most two seconds old, those of jobs and consumers at most fifteen.
    """
    metrics.PENDING.set(ctx.writer.pending)
    metrics.CATALOGUE.set(len(ctx.catalogue.index))
    lost: Counter[str] = Counter()
    for loss in await _lost(request):
        lost[loss.store] += max(loss.count, 1)
    for store in STORES:
        metrics.LOST.labels(store).set(lost[store])
    metrics.LAG.set(ctx.follower.lag if ctx.follower.lag is not None else float("nan"))
    for usage in await request.app.state.memory.get():
        metrics.MEMORY.labels(usage.service).set(usage.held_bytes)
        if usage.limit_mb is not None:
            metrics.MEMORY_LIMIT.labels(usage.service).set(usage.limit_mb * 10**6)
    await request.app.state.retraining.get()
    await request.app.state.pipeline.get()
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _dependencies(ctx: Context) -> dict[str, Any]:
    return {
        "kafka": _check(lambda: _kafka(ctx)),
        "mongodb": _check(lambda: probes.check_mongodb(ctx.mongo[ctx.settings.mongo_database])),
    }


async def _lost(request: Request) -> list[Loss]:
    return [*await request.app.state.losses.get(), *await request.app.state.missing_tracks.get()]


def _losses(ctx: Context, find: Callable[[Database[dict[str, Any]], Settings], list[Loss]]) -> list[Loss]:
    try:
        return find(ctx.mongo[ctx.settings.mongo_database], ctx.settings)
    except PyMongoError:
        return []  # the part `mongodb` reports the error


def _replication(ctx: Context) -> str | None:
    try:
        with kafka.admin(kafka.config(ctx.settings) | LIMITS) as admin:
            return durability.replication_warning(admin, ctx.settings)
    except ServiceUnavailableError:
        return None  # the part `kafka` reports the error


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


def _check(probe: Callable[[], None]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        probe()
    except (ServiceUnavailableError, PyMongoError) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"ok": True, "ms": round((time.perf_counter() - began) * 1000, 1)}


def _kafka(ctx: Context) -> None:
    topics = [ctx.settings.listens_topic, ctx.settings.feedback_topic, ctx.settings.dead_letters_topic]
    config = kafka.config(ctx.settings) | LIMITS
    with kafka.admin(config) as admin:
        missing = sorted(set(topics) - set(admin.list_topics()))
    if missing:
        raise ServiceUnavailableError(f"topics missing: {', '.join(missing)}")
    probes.check_kafka(ctx.settings, config, PROBE_TIMEOUT_S)
