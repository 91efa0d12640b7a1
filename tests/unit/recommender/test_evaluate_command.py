"""``segue evaluate recommender`` on a small file without timestamps."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.commands import evaluate
from segue.recommender import search

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


LISTENERS, TRACKS, TASTES = 40, 24, 3


def test_without_timestamps_three_seeds_are_averaged_and_the_table_printed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    likes = random.integers(TASTES, size=LISTENERS)[:, None] == np.arange(TRACKS)[None, :] % TASTES
    rows = [(i, j) for i, j in np.argwhere(random.random(likes.shape) < np.where(likes, 0.8, 0.05))]
    file = tmp_path / "plays.tsv"
    lines = [f"u{i}\tt{j:02}\t{1 + (i + j) % 3}" for i, j in [*rows, (LISTENERS, 0)]]  # the last hears one track
    file.write_text("\n".join(["user\titem\tplays", *lines]))
    monkeypatch.setattr(evaluate, "spark_session", lambda: nullcontext(spark))
    # All sets of parameters are the same, so ALS is fitted once a seed.
    only = replace(search.SIMPLEST, rank=3, iterations=1)
    ends = {"CONFIDENCES": (only.alpha,) * 2, "REGULARIZATIONS": (only.regularization,) * 2}
    for name, value in {"SIMPLEST": only, "RANKS": (3,), "ITERATIONS": (1,), **ends}.items():
        monkeypatch.setattr(search, name, value)
    command = ["evaluate", "recommender", "--interactions", str(file), "--min-interactions", "3"]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"}, catch_exceptions=False)
    said = result.stdout
    assert result.exit_code == 0, said
    assert f"plays.tsv: {len(rows) + 1} pairs of {LISTENERS + 1} listeners and {TRACKS} tracks" in said
    assert "no timestamps: 20% of each listener's tracks held out at random; only the 3-core" in said
    assert ", mean of 3 seeds" in said
    for model in ("Segue", "popularity", "item cosine", "EASE", "ALS"):
        assert f"\n│  {model}" in said
    assert "new tracks (" in said
    assert "the best baseline" in said
    assert "F1" in said
