"""Read Delta tables of the lake without Spark, for pages and commands that must answer within a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.errors import LakeError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


def read(uri: str, columns: Sequence[str], where: ds.Expression | None = None) -> pa.Table | None:
    """Read some columns of a table, as of its last commit.

    Parameters
    ----------
    uri : str
        Folder of the table, or its URL in an object store.
    columns : sequence of str
    where : pyarrow.dataset.Expression, optional
        Condition for the rows.

    Returns
    -------
    pyarrow.Table or None
        None if the table does not exist yet.

    Raises
    ------
    LakeError
        If the table cannot be read.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    options = {"allow_http": "true"} if "://" in uri else None  # stores of one's own often have no TLS
    try:
        dataset = DeltaTable(uri.replace("s3a://", "s3://", 1), storage_options=options).to_pyarrow_dataset()
        return dataset.to_table(columns=list(columns), filter=where)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise LakeError(
            f"The table {uri} cannot be read: {error}. `segue doctor` says whether the lake is damaged."
        ) from error
