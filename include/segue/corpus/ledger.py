"""The outcome of each file in the lake: a row of `features` or a row of `rejects`, never both.

A file may change, be removed, or get another track id. A run may be killed after it has written only one of the
two tables. `balance` corrects all of this at the end of a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as sf

from segue.audio.definition import FEATURE_VERSION
from segue.corpus.lake import Lake
from segue.corpus.plan import STATE, TRIED_AGAIN, Wanted, wanted
from segue.corpus.reports import Outcomes
from segue.corpus.schema import BESIDE, EXTRACTED, PARTITION
from segue.errors import CorpusChangedError


def of_days(lake: Lake, name: str, days: Collection[date]) -> DataFrame:
    """Read the rows of some days from a table."""
    return lake.read(name).where(sf.col(PARTITION).isin(list(days)))


def append(lake: Lake, fresh: DataFrame, days: Collection[date]) -> None:
    """Add the outcomes of files that have none yet.

    Rewriting the days instead would make the cost of a first load grow with the square of its size. If a run is
    killed between the two tables, some files have no outcome; the next run extracts them.

    Parameters
    ----------
    lake : Lake
    fresh : DataFrame
        Rows of `schema.EXTRACTED`.
    days : collection of date
        The days of `fresh`; not empty.
    """
    lake.append("features", fresh.where("reason IS NULL"), days)
    lake.append("rejects", fresh.where("reason IS NOT NULL"), days)


def replace(lake: Lake, fresh: DataFrame, days: Collection[date]) -> None:
    """Replace the partitions `days`: keep the outcomes that are still valid, and add `fresh`.

    The two tables need two commits. If a run is killed between them, a file may be in both tables or in neither.
    The next run corrects this. If a file is in both, it keeps the features.

    Parameters
    ----------
    lake, fresh, days
        As for `append`.
    """
    inventory = of_days(lake, "inventory", days).select(*STATE, "track_id")
    features = _standing(of_days(lake, "features", days), inventory).join(fresh, "path", "left_anti")
    lake.replace("features", features.unionByName(fresh.where("reason IS NULL").drop("reason", "message")), days)
    rejects = _standing(of_days(lake, "rejects", days), inventory).join(fresh, "path", "left_anti")
    rejects = rejects.join(of_days(lake, "features", days), [PARTITION, "path"], "left_anti")
    lake.replace("rejects", rejects.unionByName(fresh.where("reason IS NOT NULL").select(rejects.columns)), days)


def keep_features(lake: Lake, fresh: DataFrame, paths: Sequence[str], days: Collection[date]) -> DataFrame:
    """Keep the features of files that were extracted again for their musical descriptors or embedding only.

    The files have not changed, so their features are valid and stay bit for bit. They stay even if a file is
    rejected now. If the reason may pass, the next run tries again. Otherwise what the file lacks is null until its
    version changes, and `musical_error` or `embedding_error` holds the reason. Columns that the settings do not
    want now stay as they were.

    Parameters
    ----------
    lake, fresh, days
        As for `append`.
    paths : sequence of str
        The files that were extracted for what they lack beside their features.

    Returns
    -------
    DataFrame
        `fresh`, with the features that these files already have.
    """
    again = lake.spark.createDataFrame([(path,) for path in paths], "path string")
    inventory = of_days(lake, "inventory", days).select(*STATE, "track_id").join(again, "path", "left_semi")
    standing = _standing(of_days(lake, "features", days), inventory)
    earlier = sf.struct("features", *(name for names in BESIDE.values() for name in names)).alias("earlier")
    measured = fresh.join(standing.select("path", earlier), "path", "left")
    is_kept = sf.isnotnull("earlier")
    unrejected = measured.where(~is_kept | sf.isnull("reason"))
    now = {"features": sf.coalesce("earlier.features", "features")}
    for group, names in BESIDE.items():
        is_measured = sf.isnotnull(f"{group}_version")
        now |= {name: sf.when(is_measured, sf.col(name)).otherwise(sf.col(f"earlier.{name}")) for name in names}
    described = unrejected.withColumns(now).select(fresh.columns)
    reasons = measured.where(is_kept & sf.isnotnull("reason")).select("path", "reason", "message")
    kept = standing.join(reasons, "path").withColumns(_failed(wanted()))
    kept = kept.withColumns(dict.fromkeys(("reason", "message"), sf.lit(None).cast("string")))
    return described.unionByName(kept.select(fresh.columns)).checkpoint()


def _failed(versions: Wanted) -> dict[str, Column]:
    """Return the columns beside the features of a file that has features, and is rejected now."""
    made: dict[str, Column] = {}
    for group, names in BESIDE.items():
        is_settled = versions.lacks(group) & ~sf.expr(TRIED_AGAIN)
        values = dict.fromkeys(names, sf.lit(None)) | {
            f"{group}_version": sf.lit(getattr(versions, group)),
            f"{group}_error": sf.concat_ws(": ", "reason", "message"),
        }
        made |= {name: sf.when(is_settled, value).otherwise(sf.col(name)) for name, value in values.items()}
    return made


def _standing(outcomes: DataFrame, inventory: DataFrame) -> DataFrame:
    """Return the outcomes of files that have not changed, with their current track id.

    If two runs at the same time have both appended an outcome of a file, one of the two is kept.
    """
    current = outcomes.where(sf.col("feature_version") == FEATURE_VERSION)
    standing = current.drop("track_id").join(inventory, list(STATE)).select(outcomes.columns)
    return standing.dropDuplicates([PARTITION, "path"])


def balance(lake: Lake, days: Collection[date]) -> Outcomes:
    """Correct the outcomes of some days, count them, and check that each file has exactly one.

    Outcomes are corrected if a file was removed or has another track id, or if it is in both tables after a kill.

    Parameters
    ----------
    lake : Lake
    days : collection of date

    Returns
    -------
    Outcomes

    Raises
    ------
    CorpusChangedError
        If features and rejects together are not as many as the files of the inventory.
    """
    counts = _count(lake, days)
    untidy = {
        row[PARTITION] for row in counts if row["files"] != row["outcomes"] or row["matching"] != row["files"]
    }
    if untidy:
        replace(lake, lake.spark.createDataFrame([], EXTRACTED), untidy)
        counts = _count(lake, days)
    rejected: Counter[str] = Counter()
    for row in counts:
        if row["reason"] is not None:
            rejected[row["reason"]] += row["outcomes"]
    files = sum(row["files"] for row in counts)
    outcomes = sum(row["outcomes"] for row in counts)
    features = outcomes - rejected.total()
    if outcomes != files:
        raise CorpusChangedError(
            f"{features:,} features and {rejected.total():,} rejects are not the {files:,} files of the "
            "inventory: files changed while the job ran. Run it again."
        )
    return Outcomes(files=files, features=features, rejects=rejected.total(), rejected=dict(rejected))


def _count(lake: Lake, days: Collection[date]) -> list[Row]:
    """Count by day and reason: files, outcomes, and files whose outcome has the file's current track id."""
    key = [PARTITION, "path"]
    files = of_days(lake, "inventory", days).select(*key, "track_id")
    features = of_days(lake, "features", days).select(
        *key, "track_id", sf.lit(None).cast("string").alias("reason")
    )
    rejects = of_days(lake, "rejects", days).select(*key, "track_id", "reason")
    outcomes = (
        features.unionByName(rejects)
        .groupBy(*key)
        .agg(
            sf.count("*").alias("outcomes"),
            sf.max("reason").alias("reason"),
            sf.max("track_id").alias("outcome_id"),
        )
    )
    return (
        files.join(outcomes, key, "full")
        .groupBy(PARTITION, "reason")
        .agg(
            sf.count("track_id").alias("files"),
            sf.coalesce(sf.sum("outcomes"), sf.lit(0)).alias("outcomes"),
            sf.count_if(sf.col("outcome_id") == sf.col("track_id")).alias("matching"),
        )
        .sort(PARTITION, "reason")
        .collect()
    )
