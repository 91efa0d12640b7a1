"""The listening event: its schema, its identity, and reading events from Kafka with Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from segue.streaming.window import OffsetWindow

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]


Text = Annotated[str, StringConstraints(min_length=1, max_length=10_240, pattern=r"^[^\x00]*$")]


class Listen(BaseModel):
    """One play of one track by one listener.

    - Version 1 knows the track by its id in the corpus.
    - Version 2 also tells what the player said of it; the track id is null where the corpus has no such track.

    Fields of later versions that this one does not know are ignored; a version that it does not know is refused.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1, 2] = Field(2, description="Version of this schema.")
    event_id: Name = Field(description="Same listener, time and track: same id; a repeated message counts once.")
    user_name: Name
    track_id: Name | None = Field(None, description="The corpus' track, if the listen matched one.")
    listened_at: Annotated[int, Field(strict=True, ge=0, le=253_402_300_799)] = Field(
        description="When the play began, in seconds since 1970-01-01 UTC."
    )
    source: Name | None = Field(None, description='The player that sent it; "simulated" if nobody listened.')
    artist_name: Text | None = Field(None, description="As the player sent it; version 2.")
    track_name: Text | None = Field(None, description="Title, as the player sent it; version 2.")
    release_name: Text | None = Field(None, description="Album, as the player sent it; version 2.")
    recording_msid: Name | None = Field(
        None, description="Id made of the names, as ListenBrainz has it; version 2."
    )
    recording_mbid: Name | None = Field(
        None, description="MusicBrainz recording id, if the player sent one; version 2."
    )
    additional_info: dict[str, Any] | None = Field(None, description="Whatever else the player sent; version 2.")
    received_at: float | None = Field(
        None, ge=0, description="When Segue got it, in seconds since 1970; version 2."
    )
    matched_by: Literal["id", "mbid", "name", "fuzzy"] | None = Field(
        None, description="How `track_id` was found; version 2."
    )
    match_score: float | None = Field(
        None, ge=0, le=100, description="Similarity of a fuzzy match, 0 to 100; version 2."
    )

    @model_validator(mode="after")
    def _says_what_was_played(self) -> Self:
        if self.track_id is None and (self.schema_version == 1 or not (self.artist_name and self.track_name)):
            raise ValueError("neither a track id nor, in version 2, artist and title")
        return self


def event_id(user_name: str, listened_at: int, *track: str) -> str:
    """Derive an event's id from listener, time and track (its id, or artist and title as the player sent them).

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    identity = json.dumps([user_name, listened_at, *track]).encode()
    return hashlib.blake2b(identity, digest_size=16).hexdigest()


def listen(user_name: str, track_id: str, listened_at: int, source: str | None = None) -> Listen:
    """Make an event of version 1, whose id follows from what it says: sending it twice does no harm."""
    return Listen(
        schema_version=1,
        event_id=event_id(user_name, listened_at, track_id),
        user_name=user_name,
        track_id=track_id,
        listened_at=listened_at,
        source=source,
    )


LISTENS = (
    "partition int, offset long, "
    "event_id string, user_name string, track_id string, listened_at long, received_at double, "
    "recording_msid string, error string"
)
"""Spark's schema of :func:`parse`: where ``error`` is not null the message is malformed, and the rest is null."""


def reason(error: ValidationError) -> str:
    """One short line for a malformed message, the same for all that are wrong in the same way."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['type']}" if field else str(first["type"])


def _parse_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    columns = ["event_id", "user_name", "track_id", "listened_at", "received_at", "recording_msid"]
    types = {"listened_at": pa.int64(), "received_at": pa.float64()}
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
                **{name: pa.array(values, types.get(name, pa.string())) for name, values in parsed.items()},
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
