"""A folder of music without a table: all metadata come from the tags, which are read with the audio."""

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
        """Return a table without rows."""
        return settle(pd.DataFrame(columns=list(COLUMNS), dtype=str), today)
