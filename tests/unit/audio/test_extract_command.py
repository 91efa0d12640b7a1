"""``segue extract`` tells the features or the reason, as tables, JSON or FMA's CSV."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from tests.support import onnx_models
from tests.support.audio_files import write_any
from typer.testing import CliRunner, Result

from segue.audio.definition import COLUMNS, FAMILIES, feature_names
from segue.audio.extract import extract as extract_plainly
from segue.audio.files import find_audio, printable
from segue.audio.fma_csv import write_fma_csv
from segue.audio.results import Track
from segue.commands.extract import extract
from segue.errors import ConfigurationError, CorpusError
from segue.settings import get_settings


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(extract)
    arguments = ("--workers", "1", *arguments)
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])


ODD_NAME = os.fsdecode(b"[red]new\nline \xff \xf0\x9f\x8e\xa7.mp3")
ODD_NAME_PRINTED = r"[red]new\nline \xff 🎧.mp3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    (folder / "b").mkdir()
    write_any(folder / "a.mp3").rename(folder / "b" / "two.MP3")
    write_any(folder / "one.flac")
    (folder / ODD_NAME).write_bytes((folder / "b" / "two.MP3").read_bytes())
    (folder / "bad.ogg").write_text("no audio")
    (folder / "cover.jpg").write_text("not looked at")
    return folder


def test_one_file_is_shown_with_all_its_features(folder: Path) -> None:
    result = run(folder / "one.flac")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["mfcc", "20"] in [words[:2] for words in lines]
    assert sum(len(words) >= 8 and words[0] in FAMILIES for words in lines) == 74
    assert "2.00 s, 44100 Hz, 2 ch, soundfile" in result.stdout
    assert "1 of 1 files extracted." in result.stdout


def test_a_folder_is_searched_and_its_features_written_as_fmas_csv(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "features.csv"
    result = run(folder, "-o", output)
    assert result.exit_code == 0, result.output
    assert "UNREADABLE" in result.stdout
    assert "cover.jpg" not in result.stdout
    assert "[red]new" in result.stdout, "a name is no markup"
    assert "3 of 4 files extracted." in result.stdout
    table = pd.read_csv(output, header=[0, 1, 2], index_col=0)
    assert list(table.columns) == COLUMNS
    assert table.columns.names == ["feature", "statistics", "number"]
    assert [Path(path).name for path in table.index] == [ODD_NAME_PRINTED, "one.flac", "two.MP3"]
    track = extract_plainly(folder / "one.flac")
    assert isinstance(track, Track)
    np.testing.assert_allclose(table.iloc[1].to_numpy(), track.features, rtol=1e-4, atol=1e-4)


def test_json_is_one_object_a_file(folder: Path) -> None:
    result = run("--json", folder, folder / "missing.wav")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    names = [Path(document["path"]).name for document in documents]
    assert names == [ODD_NAME_PRINTED, "bad.ogg", "one.flac", "two.MP3", "missing.wav"]
    reasons = [document.get("reason") for document in documents]
    assert reasons == [None, "UNREADABLE", None, None, "NOT_FOUND"]
    assert list(documents[2]["features"]) == feature_names()
    assert documents[2]["duration_s"] == 2.0


def test_with_reference_plain_librosa_is_computed_too_and_the_difference_shown_by_family(folder: Path) -> None:
    shown = run("--reference", folder / "one.flac")
    assert shown.exit_code == 0, shown.output
    table = shown.stdout[shown.stdout.index("Largest difference from librosa") :]
    rows = {
        words[0]: float(words[1])
        for line in table.splitlines()
        if (words := line.split())[:1] and words[0] in FAMILIES
    }
    assert list(rows) == list(FAMILIES)
    told = json.loads(run("--json", "--reference", folder / "one.flac").stdout)["difference_from_librosa"]
    assert list(told) == list(FAMILIES)
    assert 0 < max(told.values()) < 1e-3, "float32 against float64: close, and not the same code twice"
    assert all(abs(rows[family] - told[family]) <= 0.05 * told[family] + 1e-12 for family in FAMILIES)


def test_a_csv_that_cannot_be_completed_leaves_the_old_one(tmp_path: Path) -> None:
    output = tmp_path / "features.csv"
    output.write_text("old")

    def broken() -> list[Track]:
        raise OSError("disk gone")
        yield

    with pytest.raises(OSError, match="disk gone"):
        write_fma_csv(broken(), output)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_it_fails_when_nothing_was_extracted(folder: Path, tmp_path: Path) -> None:
    result = run(folder / "bad.ogg", "-o", tmp_path / "features.csv")
    assert result.exit_code == 1
    assert "0 of 1 files extracted." in result.stdout
    assert not (tmp_path / "features.csv").exists()


def test_a_folder_without_audio_and_an_output_nowhere_are_named(folder: Path, tmp_path: Path) -> None:
    nothing = run(tmp_path)
    assert isinstance(nothing.exception, CorpusError)
    assert str(tmp_path) in str(nothing.exception)
    nowhere = run(folder, "-o", tmp_path / "no" / "features.csv")
    assert isinstance(nowhere.exception, CorpusError)
    assert str(tmp_path / "no") in str(nowhere.exception)


def test_files_are_found_in_order_and_once_each(folder: Path) -> None:
    found = list(find_audio([folder, folder / "cover.jpg"]))
    assert [path.name for path in found] == [ODD_NAME, "bad.ogg", "one.flac", "two.MP3", "cover.jpg"]
    assert printable(ODD_NAME) == ODD_NAME_PRINTED


def test_json_has_the_embedding_of_the_model_that_the_settings_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_MODEL", str(onnx_models.moments(tmp_path / "model.onnx")))
    monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_WINDOW_S", "0.5")
    get_settings.cache_clear()
    found = json.loads(run("--json", folder / "one.flac").stdout)
    assert len(found["embedding"]) == 2
    assert (len(found["embedding_version"]), found["embedding_error"]) == (16, None)
    monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_MODEL", str(tmp_path / "none.onnx"))
    get_settings.cache_clear()
    refused = run(folder / "one.flac").exception
    monkeypatch.undo()
    get_settings.cache_clear()
    assert isinstance(refused, ConfigurationError)
    assert "there is no such file" in str(refused)
