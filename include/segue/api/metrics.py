"""The metrics that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

REQUESTS = Counter("segue_http_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "segue_http_request_seconds",
    "Time from the first byte of a request to the end of its response.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    registry=REGISTRY,
)
LISTENS = Counter(
    "segue_listens_accepted",
    "Listens that Kafka has acknowledged.",
    ["listen_type", "matched_by"],
    registry=REGISTRY,
)
REFUSED = Counter(
    "segue_listens_refused",
    "Listens that were refused, because artist, title or a possible time is missing.",
    registry=REGISTRY,
)
FIELDS_DROPPED = Counter(
    "segue_listen_fields_dropped",
    "Optional fields that were dropped as unusable; their listens were accepted.",
    ["field"],
    registry=REGISTRY,
)
NOT_WRITTEN = Counter("segue_listens_not_written", "Listens that Kafka did not acknowledge.", registry=REGISTRY)
PENDING = Gauge("segue_listens_pending", "Listens that wait for Kafka's acknowledgement.", registry=REGISTRY)
LAG = Gauge(
    "segue_listen_store_lag", "Events in Kafka that are not yet in the store of listens.", registry=REGISTRY
)
LOST = Gauge(
    "segue_store_lost",
    "Listens that a store has lost and another one may have; 1 if the number is not known.",
    ["store"],
    registry=REGISTRY,
)
CATALOGUE = Gauge("segue_catalogue_tracks", "Tracks that listens can be matched with.", registry=REGISTRY)
MEMORY = Gauge(
    "segue_service_memory_bytes", "Memory of a service (proportional set size).", ["service"], registry=REGISTRY
)
MEMORY_LIMIT = Gauge(
    "segue_service_memory_limit_bytes",
    "Memory above which a service is unhealthy.",
    ["service"],
    registry=REGISTRY,
)


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
