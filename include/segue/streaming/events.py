"""The listening event: its schema, its identity, and reading events from Kafka with Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from segue.streaming.window import OffsetWindow

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]


class Listen(BaseModel):
    """One play of one track by one listener.

    Fields of later versions that this one does not know are ignored.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = Field(1, description="Version of this schema.")
    event_id: Name = Field(description="Same listener, time and track: same id; a repeated message counts once.")
    user_name: Name
    track_id: Name
    listened_at: Annotated[int, Field(strict=True, ge=0, le=253_402_300_799)] = Field(
        description="When the play began, in seconds since 1970-01-01 UTC."
    )
    source: Name | None = Field(None, description='The player that sent it; "simulated" if nobody listened.')


def listen(user_name: str, track_id: str, listened_at: int, source: str | None = None) -> Listen:
    """Make an event whose id follows from what it says, so that sending it twice does no harm."""
    identity = json.dumps([user_name, listened_at, track_id]).encode()
    return Listen(
        schema_version=1,
        event_id=hashlib.blake2b(identity, digest_size=16).hexdigest(),
        user_name=user_name,
        track_id=track_id,
        listened_at=listened_at,
        source=source,
    )


LISTENS = (
    "partition int, offset long, "
    "event_id string, user_name string, track_id string, listened_at long, "
    "error string"
)
"""Spark's schema of :func:`parse`: where ``error`` is not null the message is malformed, and the rest is null."""


def reason(error: ValidationError) -> str:
    """One short line for a malformed message, the same for all that are wrong in the same way."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['type']}" if field else str(first["type"])


def _parse_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    columns = ["event_id", "user_name", "track_id", "listened_at"]
    for batch in batches:
        parsed: dict[str, list[object]] = {name: [] for name in [*columns, "error"]}
        for value in batch.column("value").to_pylist():
            try:
                event, error = Listen.model_validate_json(value or b""), None
            except ValidationError as invalid:
                event, error = None, reason(invalid)
            for name in columns:
                parsed[name].append(getattr(event, name, None))
            parsed["error"].append(error)
        yield pa.RecordBatch.from_pydict(
            {
                "partition": batch.column("partition"),
                "offset": batch.column("offset"),
                **{
                    name: pa.array(parsed[name], pa.int64() if name == "listened_at" else pa.string())
                    for name in parsed
                },
            }
        )


def parse(messages: DataFrame) -> DataFrame:
    """Validate Kafka messages by :class:`Listen`, in Spark's workers.

    Parameters
    ----------
    messages
        Columns ``partition``, ``offset`` and ``value`` (binary) of Spark's Kafka source.

    Returns
    -------
    DataFrame
        As many rows, of the schema :data:`LISTENS`; a malformed message has its reason in ``error``.
    """
    return messages.select("partition", "offset", "value").mapInArrow(_parse_batches, LISTENS)


def read_until(spark: SparkSession, bootstrap_servers: str, window: OffsetWindow) -> DataFrame:
    """Read a topic from its beginning up to the ends of a window, so that a retry reads the same messages.

    Returns
    -------
    DataFrame
        The columns of :data:`LISTENS` and ``in_window``: whether the message is in the window itself.
    """
    from pyspark.sql import functions as F  # noqa: N812

    # -2 is the Kafka source's word for "earliest".
    starting, ending = (
        json.dumps({window.topic: offsets}) for offsets in (dict.fromkeys(window.ends, -2), window.ends)
    )
    messages = (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap_servers)
        .option("assign", json.dumps({window.topic: list(window.spans)}))
        .option("startingOffsets", starting)
        .option("endingOffsets", ending)
        .load()
    )
    starts = F.create_map(*(F.lit(part) for p, (start, _) in window.spans.items() for part in (p, start)))
    return parse(messages).withColumn("in_window", F.col("offset") >= starts[F.col("partition")])
