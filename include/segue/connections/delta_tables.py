"""Query Delta tables of the lake without Spark, for pages, commands, and jobs that ask for a number or two.

delta-rs has an SQL engine of its own. It needs neither PyArrow nor pandas, which would add 100 MB to Airflow's API
server.
"""

from __future__ import annotations

from typing import Any

from segue.errors import LakeError, ServiceUnavailableError


def query(uri: str, sql: str) -> list[dict[str, Any]]:
    """Query a table, as of its last commit.

    Parameters
    ----------
    uri : str
        Folder of the table, or its URL in an object store.
    sql : str
        A query of the table ``rows``. It must not contain text from outside.

    Returns
    -------
    list of dict
        The rows of the result. Empty if the table does not exist yet.

    Raises
    ------
    LakeError
        If the table cannot be read.
    ServiceUnavailableError
        The same for a table in an object store, which is probably away.
    """
    from deltalake import DeltaTable, QueryBuilder
    from deltalake.exceptions import DeltaError, TableNotFoundError

    is_remote = "://" in uri
    options = {"allow_http": "true"} if is_remote else None  # stores of one's own often have no TLS
    try:
        table = DeltaTable(uri.replace("s3a://", "s3://", 1), storage_options=options)
        found = QueryBuilder().register("rows", table).execute(sql).read_all()
    except TableNotFoundError:
        return []
    except (DeltaError, OSError) as error:
        if is_remote:
            raise ServiceUnavailableError(
                f"The table {uri} cannot be read: {error}. Does the object store answer, and let Segue in?"
            ) from error
        raise LakeError(
            f"The table {uri} cannot be read: {error}. `segue doctor` says whether the lake is damaged."
        ) from error
    columns = [found.column(name).to_pylist() for name in found.column_names]
    return [dict(zip(found.column_names, values, strict=True)) for values in zip(*columns, strict=True)]
