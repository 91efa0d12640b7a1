"""Choose the files of the inventory that are extracted, and divide the work."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from segue.audio.definition import FEATURE_VERSION
from segue.audio.embedding.session import checked_version
from segue.audio.limits import embedding_model
from segue.audio.musical.definition import MUSICAL_VERSION
from segue.audio.reasons import Reason
from segue.corpus.schema import BESIDE, PARTITION
from segue.settings import get_settings

if TYPE_CHECKING:  # not in Spark's Python workers, which import this module, too
    import pandas as pd

STATE = ("path", "size_bytes", "mtime_ns", PARTITION)
"""A file is unchanged if these columns are."""

PASSING = (Reason.NOT_FOUND, Reason.NO_PERMISSION, Reason.CHANGED, Reason.KILLED)
"""Reasons that do not depend on the bytes of a file. Examples are a storage that was offline, a missing
permission, or a machine that ran out of memory."""

TRIED_AGAIN = f"reason IN {tuple(map(str, PASSING))} AND size_bytes > 0"
"""Condition in SQL for rejections that are tried again although the file has not changed. A broken link is not: it
is listed with size 0."""

COMMIT_BYTES = 2**30
"""Audio for each core between two commits to the lake. A killed run loses at most the audio of two commits."""

MIN_TASK_BYTES, MAX_TASK_BYTES = 2**20, 16 * 2**20

TASKS_PER_CORE = 32
"""Small tasks keep the progress lines up to date and the cores evenly busy. Each task costs about 20 ms."""


class Mode(StrEnum):
    """What the job does with the files of the chosen partitions."""

    SKIP = "skip"
    """Extract files that are new or changed, or whose features, musical descriptors or embedding are of another
    version."""
    FORCE = "force"
    """Extract all files."""
    PING = "ping"
    """Only report what `SKIP` would do."""


class Wanted(NamedTuple):
    """The versions that the outcomes must have."""

    features: str
    musical: int | None
    """None if the musical descriptors are not wanted. Those that are there stay."""
    embedding: str | None = None
    """None if there is no model. Embeddings that are there stay."""

    def lacks(self, group: str) -> Column:
        """Return the condition for rows of `features` that lack the wanted version of a group of `BESIDE`."""
        version = getattr(self, group)
        return sf.lit(version is not None) & ~sf.col(f"{group}_version").eqNullSafe(sf.lit(version))


def wanted() -> Wanted:
    """Return the versions of this code, with those of the descriptors and of the embedding that the settings want.

    Raises
    ------
    ConfigurationError, PrerequisiteError
        If the model of the embedding cannot be used.
    """
    settings = get_settings()
    model = embedding_model(settings)
    return Wanted(
        FEATURE_VERSION,
        MUSICAL_VERSION if settings.audio_musical else None,
        checked_version(model) if model else None,
    )


def plan(inventory: DataFrame, features: DataFrame, rejects: DataFrame, versions: Wanted, mode: Mode) -> DataFrame:
    """Mark the files that have to be extracted.

    Parameters
    ----------
    inventory, features, rejects : DataFrame
        Rows of the same partitions from the three tables of the lake.
    versions : Wanted
    mode : Mode

    Returns
    -------
    DataFrame
        The rows of the inventory with three more columns:

        - `todo` (boolean): whether the file is to be extracted.
        - `has_features` (boolean): whether it has valid features, and is extracted for what it lacks beside them.
        - `stands` (boolean): whether one of the tables already has an outcome of the path.
    """
    of_version = sf.col("feature_version") == versions.features
    tables = (
        (features, of_version, is_whole(versions)),
        (rejects, of_version & ~sf.expr(TRIED_AGAIN), sf.lit(True)),
    )
    outcomes = reduce(
        DataFrame.union,
        (each.select(*STATE, final.alias("is_final"), whole.alias("is_whole")) for each, final, whole in tables),
    )
    key = ["path", PARTITION]
    earlier = outcomes.groupBy(key).agg(
        sf.collect_list(sf.struct("size_bytes", "mtime_ns", "is_final", "is_whole")).alias("earlier")
    )
    joined = inventory.join(earlier, key, "left")

    def has(condition: Callable[[Column], Column]) -> Column:
        """Return whether an outcome of the file in its present state meets a condition."""
        return sf.coalesce(
            sf.exists(
                "earlier",
                lambda outcome: (
                    (outcome.size_bytes == joined.size_bytes)
                    & (outcome.mtime_ns == joined.mtime_ns)
                    & condition(outcome)
                ),
            ),
            sf.lit(False),
        )

    is_forced = sf.lit(mode is Mode.FORCE)
    is_final, complete = has(lambda each: each.is_final), has(lambda each: each.is_final & each.is_whole)
    planned = joined.withColumns(
        {
            "todo": is_forced | ~complete,
            "has_features": ~is_forced & is_final & ~complete,
            "stands": sf.isnotnull("earlier"),
        }
    )
    return planned.drop("earlier")


def is_whole(versions: Wanted) -> Column:
    """Return the condition for rows of `features` that have everything that is wanted beside the features."""
    return ~reduce(Column.__or__, map(versions.lacks, BESIDE))


def behind(inventory: DataFrame, features: DataFrame, rejects: DataFrame, versions: Wanted) -> DataFrame:
    """Find the days whose outcomes are not up to date.

    A day is returned if, after its extraction, a file was added, changed, removed or given another track id.

    Parameters
    ----------
    inventory, features, rejects, versions
        As for `plan`.

    Returns
    -------
    DataFrame
        The column `PARTITION`, each day once.
    """
    todo = plan(inventory, features, rejects, versions, Mode.SKIP).where("todo")
    key = [*STATE, "track_id"]
    gone = features.select(key).unionByName(rejects.select(key)).join(inventory, key, "left_anti")
    return todo.select(PARTITION).union(gone.select(PARTITION)).distinct()


def divide(todo: pd.DataFrame, cores: int) -> list[pd.DataFrame]:
    """Divide files into commits, and each commit into tasks of similar size in bytes.

    Parameters
    ----------
    todo : pandas.DataFrame
        Files to extract: columns of the inventory, and `stands` of `plan`.
    cores : int
        Number of tasks that run at once.

    Returns
    -------
    list of pandas.DataFrame
        One table per commit, with the integer column `task`, counted from 0 without gaps. Files without an earlier
        outcome come first, because their rows are only appended. Otherwise files are sorted by day and path. A
        file that is larger than the share of a task gets its own task. The tracks of a CUE sheet share a task, so
        that their file is decoded once.
    """
    share = int(todo["size_bytes"].sum()) // (cores * TASKS_PER_CORE)
    task_bytes = min(max(share, MIN_TASK_BYTES), MAX_TASK_BYTES)
    is_part = todo["part"].fillna("") != ""
    source = todo["path"].where(~is_part, todo["path"].str.rpartition("#")[0])
    ordered = todo.assign(source=source).sort_values(["stands", PARTITION, "source", "path"])
    of_file = ordered.groupby(["stands", PARTITION, ordered.pop("source")])["size_bytes"]
    before = ordered["size_bytes"].cumsum() - ordered["size_bytes"]
    before, size = before - of_file.cumsum() + ordered["size_bytes"], of_file.transform("sum")
    is_large = size > task_bytes
    is_first = of_file.cumcount() == 0
    cuts = (is_first & (is_large | is_large.shift(fill_value=False))).cumsum()  # before and after each large file
    ordered["task"] = before // task_bytes + cuts
    commits = [commit for _, commit in ordered.groupby(before // (cores * COMMIT_BYTES))]
    return [commit.assign(task=commit["task"].rank(method="dense").astype(int) - 1) for commit in commits]
