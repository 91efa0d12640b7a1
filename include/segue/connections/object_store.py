"""Object stores with Amazon's S3 protocol: one configuration for Python, Spark and MLflow.

It is the configuration of Amazon's own libraries: ``AWS_ENDPOINT_URL`` and ``AWS_REGION``, and for the login
``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, the file ``~/.aws/credentials``, or the role of the machine.
boto3, s3fs and delta-rs read it themselves. This module translates it for Spark.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from segue.settings import Settings

SCHEMES: Final = ("s3://", "s3a://")
"""Both mean the same. Spark knows the second, all others the first."""

VARIABLES: Final = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CA_BUNDLE",
)
"""Variables of Amazon's libraries that the Python workers of a cluster get from the driver, where they are set."""

CREDENTIALS: Final = (
    "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider",
    "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider",
)
"""Where Spark looks for a login, in the order of Amazon's libraries."""


def is_used(settings: Settings) -> bool:
    """Return whether lake, music, metadata or models are in an object store of this protocol."""
    places = (settings.lake, settings.music, settings.metadata, settings.models)
    return any(str(place).startswith(SCHEMES) for place in places)


def spark_properties(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the properties by which Spark reaches the store.

    Parameters
    ----------
    environment : mapping of str to str
        Variables of `VARIABLES`, as Amazon's libraries read them.

    Returns
    -------
    dict of str to str
        They contain no login.
    """
    found = {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.aws.credentials.provider": ",".join(CREDENTIALS),
    }
    if endpoint := environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL"):
        # As Amazon's libraries do: at an endpoint of one's own, a bucket rarely has a host name.
        found |= {
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(endpoint.startswith("https")).lower(),
        }
    if region := environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        found["spark.hadoop.fs.s3a.endpoint.region"] = region
    return found


def variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of `VARIABLES` that are set."""
    return {name: environment[name] for name in VARIABLES if environment.get(name)}
