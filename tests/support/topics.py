"""What operators do to topics."""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient
from tests.support.api_server import eventually

from segue.connections import topics


def make_anew(config: dict[str, Any], topic: str) -> None:
    """Delete a topic, and create a topic of listens of the same name."""
    with KafkaAdminClient(**config) as admin:
        admin.delete_topics([topic])
        eventually(lambda: topic not in admin.list_topics())
    topics.create_listens_topic(config, topic)
