"""One version of a registered model: where its folder is, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from segue.errors import ModelError

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Parameters
    ----------
    name : str
        Name of the model, such as ``genre``.
    number : int
        Counted from 1.
    location : str
        URI of its folder, in the form that Spark can read.
    metrics : mapping of str to float
        Results that were measured when the version was made.
    tags : mapping of str to str
        They name what the version was made from.
    made_at : datetime
        In UTC.
    parameters : mapping of str to str
        What the version was trained with, such as the seed.
    """

    name: str
    number: int
    location: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    made_at: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"

    def folder(self, fetch_into: str | None = None) -> Path:
        """Return its folder on this machine. If the registry is elsewhere, fetch the folder first.

        Parameters
        ----------
        fetch_into : str, optional
            Existing folder to fetch into. Default: a new temporary folder, which the caller has to remove.

        Raises
        ------
        ModelError
            If it cannot be fetched.
        """
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        here = urlparse(self.location).scheme in ("", "file")  # if it had a target, MLflow would copy the folder
        try:
            uri = self.location.replace("s3a:", "s3:", 1)
            return Path(download_artifacts(artifact_uri=uri, dst_path=None if here else fetch_into))
        except (MlflowException, OSError) as error:
            raise ModelError(f"{self} cannot be fetched from {self.location}: {error}") from error

    def load(self) -> PipelineModel:
        """Load it into the current Spark session.

        Raises
        ------
        ModelError
            If it is missing or damaged.
        """
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException
        from pyspark.ml import PipelineModel

        try:
            return PipelineModel.load(self.location)
        # PySpark raises the last two if the file with the metadata is empty or is not there.
        except (Py4JJavaError, PySparkException, TypeError, ValueError) as error:
            raise ModelError(
                f"{self} cannot be loaded from {self.location}. Train a new one with the DAG `genre_model`, or "
                f"return to the version before with `segue models rollback {self.name}`. Spark says: {error}"
            ) from error


def for_spark(uri: str) -> str:
    """Convert a URI for Hadoop, which does not decode percent-encoding, and knows S3 as ``s3a:``."""
    if uri.startswith("s3:"):
        return uri.replace("s3:", "s3a:", 1)
    return f"file:{unquote(urlparse(uri).path)}" if uri.startswith("file:") else uri
