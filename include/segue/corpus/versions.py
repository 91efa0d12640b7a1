"""The versions of the lake's tables, read without Spark."""

from __future__ import annotations

import re
from typing import Final

from segue.connections import storage
from segue.corpus.reports import LakeVersions

COMMIT: Final = re.compile(r"(\d{20})\.json$")
"""File name of a commit in Delta's log. It contains the number of the commit."""


def lake_versions(uri: str) -> LakeVersions:
    """Read the versions of the tables that the integrated dataset is made from.

    Parameters
    ----------
    uri : str
        Root of the lake.
    """
    return LakeVersions(**versions(uri, *LakeVersions.model_fields))


def versions(uri: str, *names: str) -> dict[str, int]:
    """Read the current versions of tables. A version is the number of the last commit.

    Parameters
    ----------
    uri : str
        As in `Lake`.
    *names : str
        Names of the tables.

    Returns
    -------
    dict of str to int
        Version by name; -1 if the table does not exist.
    """
    logs = {name: storage.names(f"{uri}/{name}/_delta_log") for name in names}
    commits = {name: filter(None, map(COMMIT.match, files)) for name, files in logs.items()}
    return {name: max((int(commit[1]) for commit in found), default=-1) for name, found in commits.items()}
