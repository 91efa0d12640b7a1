"""Load a new model of Spark back from where the registry keeps it, before it may serve.

The executors write a model. On a cluster, each writes to its own disk unless the place is shared. Then nothing
could load the model.
"""

from __future__ import annotations

import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from segue.connections.model_version import Version
from segue.errors import ModelError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def require(version: Version, spark: SparkSession) -> None:
    """Require that the driver can load a model of Spark, and that the executors see the same files.

    Parameters
    ----------
    version : Version
        A registered version.
    spark : SparkSession
        Its Python workers are processes that did not write the model, on other machines if there are any.

    Raises
    ------
    ModelError
        If it cannot be loaded, or an executor does not see the files that the driver sees.
    """
    try:
        version.load()
        here = contents(version)
    except ModelError as error:
        raise _not_shared(version, "the driver cannot load it back from") from error
    context = spark.sparkContext
    tasks = max(2, context.defaultParallelism)

    def differs(_: int) -> str | None:
        try:
            return None if contents(version) == here else "an executor sees other files than the driver at"
        except ModelError:
            return "an executor finds nothing at"

    for difference in filter(None, context.parallelize(range(tasks), tasks).map(differs).collect()):
        raise _not_shared(version, difference)


def contents(version: Version) -> dict[str, str]:
    """Return the hash of each file of a version, by its path, as this process reads them.

    Raises
    ------
    ModelError
        If there are none.
    """
    with tempfile.TemporaryDirectory(prefix="segue-model-") as fetched:
        folder = version.folder(fetched)
        found = {
            str(file.relative_to(folder)): blake2b(file.read_bytes()).hexdigest() for file in _data_files(folder)
        }
    if not found:
        raise ModelError(f"{version} has no files at {version.location}.")
    return found


def _not_shared(version: Version, difference: str) -> ModelError:
    return ModelError(
        f"{version} is not promoted, because {difference} {version.location}. All machines must share the place "
        "of the models. Set SEGUE_MODELS to a shared folder or a URL such as s3://bucket/models, or start "
        "MLflow's server with such a --default-artifact-root."
    )


def _data_files(folder: Path) -> list[Path]:
    """Return the files, without Hadoop's checksums, which only a local disk has."""
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
