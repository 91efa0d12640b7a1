"""A lake without musical descriptors gets them. Each file is decoded once, and no features are lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from segue.audio.musical.definition import MUSICAL_VERSION
from segue.corpus import plan
from segue.corpus.days import Days
from segue.corpus.inventory import late_days
from segue.corpus.schema import MUSICAL, columns
from segue.settings import Settings

pytestmark = pytest.mark.integration

NIGHT = date(2026, 3, 9)
SOUND_FILES = 8
ADDED = {"features": {*columns(MUSICAL), "musical_error"}, "tracks": {*columns(MUSICAL)}}
"""Columns that schema version 7 did not have."""


@pytest.fixture
def of_version_7(integrated: Any) -> Any:
    """The pipeline with a lake of schema version 7, whose tracks are published."""
    for table, new in ADDED.items():
        old = integrated.lake.read(table).drop(*new).localCheckpoint()
        place = f"{integrated.lake.uri}/{table}"
        old.write.format("delta").save(place, mode="overwrite", overwriteSchema="true")
    integrated.lake._complete.clear()
    integrated.publish()
    return integrated


@pytest.fixture
def unwanted(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[[], None]:
    """Return a function that switches the descriptors off."""
    off = settings.model_copy(update={"audio_musical": False})
    return lambda: monkeypatch.setattr(plan, "get_settings", lambda: off)


def vectors(pipeline: Any) -> dict[str, Any]:
    return {row["path"]: (row["content_hash"], row["features"]) for row in pipeline.rows("features")}


def test_the_night_after_an_upgrade_measures_them_once(
    of_version_7: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, before = of_version_7, vectors(of_version_7)
    assert all(row["musical_version"] is None for row in pipeline.rows("features"))
    assert "loudness_lufs" not in pipeline.database.tracks.find_one("t0")
    nightly = Days(NIGHT, NIGHT, tuple(late_days(pipeline.lake, NIGHT)))
    assert nightly.late == (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 5))

    assert pipeline.extract(nightly).work.extracted == SOUND_FILES, "rejected files are not decoded again"
    assert f"{SOUND_FILES} of them for their musical descriptors or embedding only" in capsys.readouterr().out
    assert vectors(pipeline) == before
    for row in pipeline.rows("features"):
        assert (row["musical_version"], row["musical_error"], row["tempo_bpm"]) == (MUSICAL_VERSION, None, None)
        assert -40 < row["loudness_lufs"] < -5
        assert row["key_mode"] in {"major", "minor"}
    assert late_days(pipeline.lake, NIGHT) == list(nightly.late), "measured, but not merged"
    pipeline.integrate(nightly)
    assert late_days(pipeline.lake, NIGHT) == []
    pipeline.publish(nightly)
    document = pipeline.database.tracks.find_one("t0")
    assert document["true_peak_dbtp"] >= document["loudness_lufs"]
    assert "tempo_bpm" not in document, "two seconds have none"
    assert pipeline.extract(nightly).work.extracted == 0


def test_nothing_is_done_for_them_while_they_are_switched_off(of_version_7: Any, unwanted: Any) -> None:
    unwanted()
    assert late_days(of_version_7.lake, NIGHT) == []
    assert of_version_7.extract().work.extracted == 0


def test_a_file_that_cannot_be_measured_keeps_its_features(of_version_7: Any) -> None:
    pipeline, before = of_version_7, vectors(of_version_7)
    away, damaged = Path(pipeline.music, "same tags 1.mp3"), Path(pipeline.music, "no tags.flac")
    status, waiting = damaged.stat(), away.rename(away.with_suffix(".away"))
    damaged.write_bytes(b"\0" * status.st_size)
    os.utime(damaged, ns=(status.st_mtime_ns, status.st_mtime_ns))

    report = pipeline.extract()
    assert report.work.extracted == SOUND_FILES
    assert report.outcomes.features == SOUND_FILES
    assert report.to_retry == 1
    assert vectors(pipeline) == before
    found = {row["path"]: row for row in pipeline.rows("features")}
    assert found[damaged.name]["musical_error"].startswith("UNREADABLE: ")
    assert (found[damaged.name]["musical_version"], found[damaged.name]["loudness_lufs"]) == (
        MUSICAL_VERSION,
        None,
    )
    assert (found[away.name]["musical_version"], found[away.name]["musical_error"]) == (None, None)

    waiting.rename(away)
    assert pipeline.extract().work.extracted == 1, "what was not there is tried again, what is damaged is not"
    assert all(row["musical_version"] == MUSICAL_VERSION for row in pipeline.rows("features"))
    assert vectors(pipeline) == before
