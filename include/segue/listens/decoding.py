"""Validate Kafka messages with the event's schema and convert them to rows of the lake, in Spark's workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import to_json

from segue.listens.events import Listen, reason

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

EVENT: Final = (
    "event_id string, schema_version int, user_name string, track_id string, listened_at bigint, source string,"
    " artist_name string, track_name string, release_name string, recording_msid string, recording_mbid string,"
    " additional_info string, received_at double, matched_by string, match_score double, dropped string,"
    " claimed_at bigint, played_s double, skipped boolean"
)
"""Columns for the fields of `segue.listens.events.Listen`; those in `OBJECTS` are JSON text."""

OBJECTS: Final = ("additional_info", "dropped")

MESSAGE: Final = "partition int, offset bigint, arrived_at double, key binary, value binary, error string"
"""Columns for the position of a message and the time at which it reached Kafka (seconds since 1970).

``error`` says why the message is not an event; then the columns of `EVENT` are null.
"""


def decode(messages: DataFrame) -> DataFrame:
    """Validate messages and convert them to rows.

    Parameters
    ----------
    messages
        Columns ``partition``, ``offset``, ``timestamp``, ``key`` and ``value`` of Spark's Kafka source.

    Returns
    -------
    DataFrame
        A row for each message, with the columns of `MESSAGE` and `EVENT`. ``key`` and ``value`` are set only if
        there is an error.
    """
    arrived_at = messages["timestamp"].cast("double").alias("arrived_at")
    located = messages.select("partition", "offset", arrived_at, "key", "value")
    return located.mapInArrow(_decode, f"{MESSAGE}, {EVENT}")


def _decode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    types = {"string": pa.string(), "binary": pa.binary(), "int": pa.int32(), "bigint": pa.int64()}
    types |= {"double": pa.float64(), "boolean": pa.bool_()}
    columns = [column.split() for column in f"{MESSAGE}, {EVENT}".split(",")]
    schema = pa.schema([(name, types[kind]) for name, kind in columns])
    for batch in batches:
        yield pa.RecordBatch.from_pylist([_row(message) for message in batch.to_pylist()], schema=schema)


def _row(message: dict[str, Any]) -> dict[str, Any]:
    try:
        event = Listen.model_validate_json(message["value"] or b"")
    except ValidationError as invalid:
        return message | {"error": reason(invalid)}
    fields = event.model_dump(exclude=set(OBJECTS))
    for name in OBJECTS:
        value = getattr(event, name)
        fields[name] = to_json(value).decode() if value else None
    return {name: message[name] for name in ("partition", "offset", "arrived_at")} | fields
