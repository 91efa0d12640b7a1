"""How much disk each part of the state folder takes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segue.settings import Settings

PARTS = {
    "music": "Music",
    "lake": "Lake (Delta tables)",
    "mongo": "MongoDB",
    "kafka": "Kafka",
    "mlflow": "Models (MLflow)",
    "airflow": "Airflow and its logs",
    "logs": "Logs of the services",
    "spark": "Spark's temporary files",
}
"""Names of the folders on the page. Other folders are shown together."""


@dataclass(frozen=True)
class Storage:
    """Disk space.

    Attributes
    ----------
    parts : mapping of str to int
        Bytes by part, the largest first. Parts on other machines are missing.
    free_bytes : int
        Free space on the disk of the state folder.
    """

    parts: Mapping[str, int]
    free_bytes: int


def read(settings: Settings) -> Storage:
    """Measure the folders of the state folder."""
    folder = settings.state_dir
    parts: dict[str, int] = {}
    for each in os.scandir(folder) if folder.is_dir() else ():
        if each.is_dir(follow_symlinks=False):
            name = PARTS.get(each.name, "Other")
            parts[name] = parts.get(name, 0) + size_bytes(Path(each))
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    ordered = dict(sorted(parts.items(), key=lambda part: -part[1]))
    return Storage(ordered, shutil.disk_usage(existing).free)


def size_bytes(folder: Path) -> int:
    """Add up the sizes of the files below a folder. Files that disappear meanwhile count 0."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{place}/{name}").st_size
            except FileNotFoundError:
                continue
    return total
