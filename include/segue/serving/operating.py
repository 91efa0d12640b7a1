"""For whoever operates the API: health and metrics."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from prometheus_client import CONTENT_TYPE_LATEST
from pymongo.errors import PyMongoError

from segue.serving import metrics, retraining
from segue.serving.access import Ctx
from segue.serving.context import Context

router = APIRouter(tags=["operation"])

KAFKA_TIMEOUT_MS = 2_000


@router.get("/health", summary="How is each part?", responses={503: {"description": "A part is away."}})
async def health(ctx: Ctx) -> JSONResponse:
    """Ask each dependency; 200 if listens can be taken and shown, else 503."""
    kafka = await run_in_threadpool(_asked, lambda: _kafka(ctx))
    mongo = await run_in_threadpool(_asked, lambda: ctx.mongo.admin.command("ping") and {})
    store = {"ok": ctx.follower.error is None, "lag": ctx.follower.lag, "error": ctx.follower.error}
    parts = {"kafka": kafka, "mongodb": mongo, "listen_store": store}
    parts["catalogue"] = {"ok": True, "tracks": len(ctx.catalogue.index)}
    healthy = all(part["ok"] for part in parts.values())
    state = {"status": "ok" if healthy else "degraded", "parts": parts, "pending_listens": ctx.writer.pending}
    return JSONResponse(state, status_code=200 if healthy else 503)


@router.get("/metrics", summary="For Prometheus")
async def prometheus(ctx: Ctx) -> Response:
    """Write the metrics."""
    metrics.PENDING.set(ctx.writer.pending)
    metrics.CATALOGUE.set(len(ctx.catalogue.index))
    metrics.LAG.set(ctx.follower.lag if ctx.follower.lag is not None else float("nan"))
    await run_in_threadpool(retraining.measure, ctx.settings, ctx.mongo[ctx.settings.mongo_database])
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _asked(question: Any) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        told = question()
    except (KafkaError, PyMongoError) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"ok": True, "ms": round((time.perf_counter() - began) * 1000, 1), **told}


def _kafka(ctx: Context) -> dict[str, Any]:
    topics = [ctx.settings.listens_topic, ctx.settings.feedback_topic, ctx.settings.dead_letters_topic]
    admin = KafkaAdminClient(
        bootstrap_servers=ctx.settings.kafka_bootstrap,
        bootstrap_timeout_ms=KAFKA_TIMEOUT_MS,
        request_timeout_ms=KAFKA_TIMEOUT_MS,
    )
    try:
        missing = sorted(set(topics) - set(admin.list_topics()))
    finally:
        admin.close()
    return {"ok": False, "error": f"topics missing: {', '.join(missing)}"} if missing else {}
