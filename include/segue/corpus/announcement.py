"""Announce on Kafka which days of the corpus have new or changed tracks.

Each changed day is one message on the topic ``tracks``. The key is the day; the value has the number of tracks
that the day has now. MongoDB has the tracks before the message is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from kafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field

from segue.connections import kafka
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.settings import Settings

DELIVERY_TIMEOUT_MS = 30_000


class PublishedDay(BaseModel):
    """One message: a day whose tracks have changed."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(1, description="Version of this schema.")
    partition_date: str = Field(description="The day, YYYY-MM-DD.")
    tracks: int = Field(ge=0, description="How many tracks it has now; 0 if it has none any more.")


def announce(settings: Settings, days: Mapping[str, int]) -> None:
    """Send a message for each day and wait until all replicas have it.

    Parameters
    ----------
    settings : Settings
    days : mapping of str to int
        Number of tracks by day.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers, or a message is not acknowledged. Kafka may have some of the messages; sending them
        again does no harm.
    """
    if not days:
        return
    create_topics(settings)
    try:
        with kafka.producing(
            kafka.config(settings),
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            request_timeout_ms=DELIVERY_TIMEOUT_MS // 2,
        ) as producer:
            sent = [
                producer.send(
                    settings.tracks_topic,
                    key=day.encode(),
                    value=PublishedDay(partition_date=day, tracks=tracks).model_dump_json().encode(),
                )
                for day, tracks in sorted(days.items())
            ]
            for future in sent:
                future.get(timeout=DELIVERY_TIMEOUT_MS / 1000)
    except KafkaError as error:
        raise ServiceUnavailableError(
            f"Kafka at {settings.kafka_bootstrap} did not take the news of {len(days):,} published day(s): "
            f"{error}. The tracks are in MongoDB; run this again once the broker answers."
        ) from error
