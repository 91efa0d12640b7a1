"""Read the tags of known files again, without decoding them, if an older version of Segue has read them.

Their audio is hashed, too, because versions before November 2026 did not do so.

The tags of a file are outdated if their `tags_version` is not today's `segue.audio.results.TAGS_VERSION`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from upath import UPath

from segue.audio.results import TAGS_VERSION, Rejection
from segue.connections.storage import local_copy
from segue.corpus import ledger
from segue.corpus.lake import DAYS_PER_FILE, Lake
from segue.corpus.parts import hash_of, source_of, tags_of
from segue.corpus.paths import from_text
from segue.corpus.plan import PASSING, STATE, TASKS_PER_CORE
from segue.corpus.questions import rows_by_day
from segue.corpus.schema import PARTITION, TAGS, columns, tag_values
from segue.corpus.worker import extractor
from segue.runs.progress import spark_tasks, step

READ = f"path string, audio_hash string, {TAGS}"

OUTDATED = f"tags_version IS DISTINCT FROM {TAGS_VERSION}"
"""Condition in SQL for rows of `features` whose tags are outdated."""

Batches = Iterator[pa.RecordBatch]


def outdated_days(features: DataFrame) -> DataFrame:
    """Find the days that have outdated tags.

    Parameters
    ----------
    features : DataFrame
        Rows of `schema.FEATURES`.

    Returns
    -------
    DataFrame
        The column `PARTITION`, each day once.
    """
    return features.where(OUTDATED).select(PARTITION).distinct()


def run(lake: Lake, music_dir: Path | UPath, days: Sequence[date]) -> int:
    """Read the outdated tags of some days again. Files that have changed are left to the extraction.

    Parameters
    ----------
    lake : Lake
    music_dir : Path or UPath
    days : sequence of date

    Returns
    -------
    int
        Number of files whose tags were read.
    """
    affected = sorted(rows_by_day(lake.uri, "features", OUTDATED).keys() & set(days))
    if not affected:
        return 0
    with step("Read the tags again", spark_tasks(lake.spark)):
        # A commit holds the days of one file of the table. After a kill, the next run continues from there.
        starts = range(0, len(affected), DAYS_PER_FILE)
        return sum(_read_again(lake, music_dir, affected[at : at + DAYS_PER_FILE]) for at in starts)


def read_files(music_dir: Path | UPath) -> Callable[[Batches], Batches]:
    """Return the function that reads the tags of the files of one Spark task.

    Parameters
    ----------
    music_dir : Path or UPath

    Returns
    -------
    callable
        For `mapInArrow`. It takes batches with the columns `path` and `part`, and yields batches of `READ`. It
        leaves out files that could not be opened.
    """
    # The driver converts the schema, since the workers cannot parse Spark's types.
    schema = to_arrow_schema(StructType.fromDDL(READ))  # type: ignore[arg-type] # fromDDL's type is too wide

    def read(batches: Batches) -> Batches:
        for batch in batches:
            rows = (_tags_of(music_dir, track) for track in batch.to_pylist())
            yield pa.RecordBatch.from_pylist([row for row in rows if row], schema)

    return read


def _read_again(lake: Lake, music_dir: Path | UPath, days: Sequence[date]) -> int:
    features, inventory = (ledger.of_days(lake, name, days) for name in ("features", "inventory"))
    unchanged = inventory.join(features.where(OUTDATED), list(STATE), "left_semi")
    tasks = lake.spark.sparkContext.defaultParallelism * TASKS_PER_CORE
    files = unchanged.select("path", "part").distinct().repartition(tasks)
    fresh = files.mapInArrow(read_files(music_dir), READ).checkpoint()
    count = fresh.count()
    if count:
        tags = ("audio_hash", *columns(TAGS))
        joined = features.join(fresh.select("path", sf.struct(*tags).alias("fresh")), "path", "left")
        is_fresh = sf.isnotnull("fresh")
        chosen = {name: sf.when(is_fresh, sf.col(f"fresh.{name}")).otherwise(sf.col(name)) for name in tags}
        lake.replace("features", joined.withColumns(chosen), days)
    return count


def _tags_of(music_dir: Path | UPath, track: dict[str, Any]) -> dict[str, Any] | None:
    path = track["path"]
    with local_copy(music_dir, from_text(source_of(track))) as place:
        found = extractor().read_tags(place)
    if isinstance(found, Rejection):
        return None if found.reason in PASSING else {"path": path} | tag_values(tags_of(track, {}), found.message)
    tags = tag_values(tags_of(track, found.texts), found.error)
    return {"path": path, "audio_hash": hash_of(track, found.audio_hash)} | tags
