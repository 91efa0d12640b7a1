from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segue.audio.definition import COLUMNS
from segue.audio.fma_csv import write_fma_csv


@pytest.mark.parametrize("name", ["=1+1.mp3", "+1.mp3", "-1.mp3", "@SUM(A1).mp3"])
def test_no_name_is_a_formula_for_a_spreadsheet(tmp_path: Path, name: str) -> None:
    tracks: list[Any] = [SimpleNamespace(path=path, features=[0.0] * len(COLUMNS)) for path in (name, f"a/{name}")]
    write_fma_csv(tracks, tmp_path / "features.csv")
    with (tmp_path / "features.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[4:]] == [f"./{name}", f"a/{name}"]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
