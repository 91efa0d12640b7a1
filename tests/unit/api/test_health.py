"""What /metrics and /health say of services and stores; all else that they ask is a stand-in."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from segue.api import health
from segue.api.caching import CachedValue
from segue.listens.losses import Loss
from segue.stack.memory import Usage


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Return a function that asks the API for a path, while services hold the given memory."""
    monkeypatch.setattr(health, "heartbeat", lambda _: tmp_path / "none")
    monkeypatch.setattr(health, "THREADS", frozenset())
    monkeypatch.setattr(health, "full_disk", lambda _: None)

    def answer(path, *usages, losses=(), weak=None):
        app = FastAPI()
        app.include_router(health.router)
        served = SimpleNamespace(served=None, error=None)
        app.state.context = SimpleNamespace(
            settings=None,
            writer=SimpleNamespace(pending=0),
            catalogue=SimpleNamespace(index=[], loaded=True),
            follower=SimpleNamespace(lag=0, error=None),
        )
        app.state.recommending = SimpleNamespace(champion=served)
        app.state.memory = CachedValue(lambda: list(usages))
        app.state.dependencies = CachedValue(lambda: {"mongodb": {"ok": True}, "kafka": {"ok": True}})
        app.state.replication = CachedValue(lambda: weak)
        app.state.retraining = CachedValue(dict)
        app.state.pipeline = CachedValue(dict)
        app.state.losses = CachedValue(lambda: list(losses))
        app.state.missing_tracks = CachedValue(list)

        async def get() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.get(path)

        return asyncio.run(get())

    return answer


def test_metrics_has_the_memory_of_each_service_and_its_limit(ask):
    metrics = ask(
        "/metrics", Usage("mongo", 1_600_000_000, 1500), Usage("airflow-migration", 1_000_000, None)
    ).text
    assert 'segue_service_memory_bytes{service="mongo"} 1.6e+09' in metrics
    assert 'segue_service_memory_limit_bytes{service="mongo"} 1.5e+09' in metrics
    assert 'segue_service_memory_bytes{service="airflow-migration"} 1e+06' in metrics
    assert 'limit_bytes{service="airflow-migration"}' not in metrics


def test_health_names_a_service_above_its_limit_and_stays_as_it_is(ask):
    greedy = Usage("mongo", 1_600_000_000, 1500)
    answer = ask("/health", greedy, Usage("kafka", 300_000_000, 800))
    assert answer.status_code == 200
    assert answer.json()["memory"] == {"ok": False, "errors": [greedy.excess]}
    assert ask("/health").json()["memory"] == {"ok": True, "errors": []}


def test_health_and_metrics_tell_what_a_store_has_lost(ask):
    lost = Loss("mongodb", 242, "MongoDB lacks 242 listens that it had stored. Run `segue rebuild listens`.")
    answer = ask("/health", losses=[lost])
    assert (answer.status_code, answer.json()["status"]) == (200, "incomplete")
    assert answer.json()["stores"] == {"ok": False, "errors": [lost.sentence]}
    assert ask("/health").json()["status"] == "ok"
    unknown = Loss("lake", 0, "The lake has no tracks.")
    metrics = ask("/metrics", losses=[lost, unknown]).text
    assert 'segue_store_lost{store="mongodb"} 242.0' in metrics
    assert 'segue_store_lost{store="lake"} 1.0' in metrics
    assert 'segue_store_lost{store="kafka"} 0.0' in ask("/metrics").text


def test_health_names_a_disk_that_is_almost_full(ask, monkeypatch):
    monkeypatch.setattr(health, "full_disk", lambda _: "Disk full: /srv has 3 MB left.")
    answer = ask("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    assert answer.json()["parts"]["disk"] == {
        "ok": False,
        "error": "Disk full: /srv has 3 MB left.",
    }


def test_health_names_topics_that_are_stored_too_seldom_and_stays_healthy(ask):
    answer = ask("/health", weak="Kafka has 3 brokers, but listens has 1 replica.")
    assert answer.status_code == 200
    assert answer.json()["replication"] == {
        "ok": False,
        "error": "Kafka has 3 brokers, but listens has 1 replica.",
    }
    assert ask("/health").json()["replication"] == {"ok": True, "error": None}
