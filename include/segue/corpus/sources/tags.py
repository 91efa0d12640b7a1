"""A folder of music without a table: the files' tags say all, and they are read when the audio is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from segue.corpus.metadata import COLUMNS, Metadata, settle


@dataclass(frozen=True)
class TagsOnly:
    """No metadata besides the tags."""

    def __str__(self) -> str:
        """Name the source."""
        return "tags only"

    def read(self, today: date) -> Metadata:
        """Give a table without rows."""
        return settle(pd.DataFrame(columns=list(COLUMNS), dtype=str), today)
