from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import full
import pytest
from clips import path_of

from segue.demo.sample import SampleSummary
from segue.errors import CorpusError
from segue.settings import get_settings


def test_neither_the_music_of_the_demo_nor_clips_of_another_recipe_are_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `make full-short` on a machine that has seen `make demo` and a run of another size."""
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    monkeypatch.setattr(full, "signal", SimpleNamespace(**vars(signal) | {"signal": lambda *_: None}))
    get_settings.cache_clear()
    clips = tmp_path / "clips"
    others = [clips / path_of(number) for number in range(100)]
    others[0].parent.mkdir(parents=True)
    for file in others:
        file.write_bytes(b"clip")
    rendered: list[Path] = []

    def render(folder: Path, *, pieces: int) -> SampleSummary:
        rendered.append(folder)
        return SampleSummary(folder, pieces, {}, {}, (), (), (), 0, 0.0)

    def make(*_: object) -> None:
        raise CorpusError("It holds clips of another recipe.")

    monkeypatch.setattr(full.sample, "render", render)
    monkeypatch.setattr(full, "make", make)
    monkeypatch.setattr(sys, "argv", ["full.py", "--tracks", "50", "--clips", str(clips), "--pieces", "64"])
    assert full.main() == 1
    get_settings.cache_clear()
    assert rendered == [tmp_path / "full" / "pieces"]
    assert all(file.exists() for file in others)


def test_a_run_keeps_to_its_own_stores(tmp_path: Path) -> None:
    elsewhere = {"SEGUE_MONGO_URI": "mongodb://somebody", "SEGUE_LAKE": "s3a://somebody/lake"}
    with mock.patch.dict(os.environ, elsewhere):  # takes back what the run sets
        own = full._own_settings(tmp_path, tmp_path / "clips", full.Progress())
    assert own.mongo.startswith("mongodb://127.0.0.1:")
    assert Path(own.lake_uri).is_relative_to(tmp_path)
