"""A record of what has happened to the services of a stack: a JSON file with the last entries."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from segue import private

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Entry = TypeVar("Entry", bound="DataclassInstance")


def read(file: Path, kind: type[Entry]) -> list[Entry]:
    """Read the entries, oldest first. A missing or damaged record has none, because it is not worth an error."""
    try:
        return [kind(**each) for each in json.loads(file.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def add(file: Path, entry: DataclassInstance, keep: int) -> None:
    """Add an entry, and keep the last `keep` of them."""
    kept = [*read(file, type(entry)), entry][-keep:]
    private.write(file, json.dumps([asdict(each) for each in kept], indent=2))
