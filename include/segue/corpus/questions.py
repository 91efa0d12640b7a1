"""Small questions about the lake's tables, asked without Spark, which takes longer to plan them than to answer."""

from __future__ import annotations

from datetime import date

from segue.connections import delta_tables
from segue.corpus.schema import PARTITION


def rows_by_day(lake_uri: str, table: str, condition: str = "true") -> dict[date, int]:
    """Count the rows of each day.

    Parameters
    ----------
    lake_uri : str
        Root of the Delta tables.
    table : str
        One of `segue.corpus.schema.TABLES`.
    condition : str
        In SQL: the rows that count. It must not contain text from outside.

    Returns
    -------
    dict of date to int
        Only days that have rows.

    Raises
    ------
    LakeError, ServiceUnavailableError
        As `segue.connections.delta_tables.query`.
    """
    sql = f"SELECT {PARTITION}, count(*) AS number FROM rows WHERE {condition} GROUP BY {PARTITION}"  # noqa: S608 - no text from outside
    return {row[PARTITION]: row["number"] for row in delta_tables.query(f"{lake_uri}/{table}", sql)}


def ids_by_path(lake_uri: str) -> dict[str, str]:
    """Return the track id of each path of the inventory. Otherwise as `rows_by_day`."""
    rows = delta_tables.query(f"{lake_uri}/inventory", "SELECT path, track_id FROM rows")
    return {row["path"]: row["track_id"] for row in rows}
