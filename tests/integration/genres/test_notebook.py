"""The notebook runs from its first cell to its last, on music of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import papermill
import pytest
import soundfile

from segue.settings import PROJECT_DIR
from segue.stack import jars

pytestmark = pytest.mark.integration

NOTEBOOK = PROJECT_DIR / "notebooks" / "analysis.ipynb"


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Write pieces of two genres by many artists: deep tones and high ones."""
    folder = tmp_path / "my music"
    folder.mkdir()
    time = np.arange(22_050) / 22_050
    random = np.random.default_rng(0)
    for genre, hertz in (("drone", 110), ("whistle", 1760)):
        for number in range(20):
            tone = np.sin(2 * np.pi * hertz * random.uniform(0.8, 1.2) * time)
            path = folder / f"{genre} {number}.flac"
            soundfile.write(path, 0.3 * tone + 0.02 * random.normal(size=time.size), 22_050)
            tags = mutagen.File(path, easy=True)
            tags.update({"title": path.stem, "artist": f"band {number} {genre}", "genre": genre})
            tags.save()
    return folder


def test_the_notebook_runs_whole(settings: Any, music: Path, tmp_path: Path) -> None:
    jars.fetch(settings)
    ran = papermill.execute_notebook(
        NOTEBOOK,
        tmp_path / "out.ipynb",
        parameters={"music": str(music), "trials": 1},
        cwd=tmp_path,
        progress_bar=False,
    )
    shown = [str(output) for cell in ran.cells for output in cell.get("outputs", [])]
    assert any("macro_f1" in output for output in shown)
    assert sum("image/png" in output for output in shown) == 3
