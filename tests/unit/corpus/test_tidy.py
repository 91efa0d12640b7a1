from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from segue.corpus.genres import genres
from segue.corpus.rules import tidy
from segue.corpus.sources.table import MetadataTable
from segue.settings import PROJECT_DIR

TODAY = date(2026, 3, 1)
REPORTED = PROJECT_DIR / "tests" / "unit" / "corpus" / "sources" / "reported"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("['rock', 'pop']", "rock; pop"),
        ("['rock' 'pop']", "rock; pop"),
        ('["rock", "Beyonc\\u00e9"]', "rock; Beyoncé"),
        ("['Don\\'t', \"it's\"]", "Don't; it's"),
        ("['\\x']", "x"),
        ("[]", ""),
        ("[untitled]", "[untitled]"),
        ("['Round Midnight]", "['Round Midnight]"),
        ("[21, 137]", "[21, 137]"),
        ("Rock\x00Pop\x00", "Rock; Pop"),
        ("\x00Reel", "Reel"),
        ("BjÃ¶rk", "Björk"),
    ],
)
def test_one_text_is_tidied(text, expected):
    assert tidy(text) == expected


def test_a_reported_table_of_lists():
    (row,) = MetadataTable(REPORTED / "list_literals.csv").read(TODAY).rows.to_dict("records")
    assert (tidy(row["artist"]), genres(tidy(row["genre"]))) == ("Dennis Day", ["Rock", "Pop"])


def test_lists_of_a_parquet_table(tmp_path):
    path = tmp_path / "metadata.parquet"
    listed = {"artist": [["Dennis Day"]], "genre": [["rock", "pop"]]}
    pd.DataFrame({"track_id": ["1"], "file": ["a.flac"], **listed}).to_parquet(path)
    (row,) = MetadataTable(path).read(TODAY).rows.to_dict("records")
    assert (tidy(row["artist"]), genres(tidy(row["genre"]))) == ("Dennis Day", ["Rock", "Pop"])
