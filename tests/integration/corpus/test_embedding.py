"""A model embeds a corpus that has features: each file is decoded once, and no features are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.support import onnx_models

from segue.audio.limits import configured
from segue.audio.results import Track
from segue.corpus.days import Days
from segue.corpus.inventory import late_days
from segue.errors import ConfigurationError
from segue.export import dataset
from segue.settings import get_settings
from segue.tracks import sounds
from segue.tracks.nearest import LiveSounds

pytestmark = pytest.mark.integration

NIGHT = date(2026, 3, 9)
SOUND_FILES = 8
WINDOW, RATE = 4_000, 8_000
VARIABLES = {"SAMPLE_RATE": str(RATE), "WINDOW_S": str(WINDOW / RATE)}


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Return a function that sets the model."""

    def set_model(path: Path) -> None:
        for name, value in (VARIABLES | {"MODEL": str(path)}).items():
            monkeypatch.setenv(f"SEGUE_AUDIO_EMBEDDING_{name}", value)
        get_settings.cache_clear()

    yield set_model
    monkeypatch.undo()
    get_settings.cache_clear()


def features(pipeline: Any) -> dict[str, Any]:
    return {row["path"]: (row["content_hash"], row["features"]) for row in pipeline.rows("features")}


def musical(pipeline: Any) -> dict[str, Any]:
    return {row["path"]: (row["musical_version"], row["loudness_lufs"]) for row in pipeline.rows("features")}


def embeddings(pipeline: Any) -> dict[str, Any]:
    return {row["path"]: row["embedding"] for row in pipeline.rows("features")}


def nightly(pipeline: Any) -> Days:
    return Days(NIGHT, NIGHT, tuple(late_days(pipeline.lake, NIGHT)))


def night(pipeline: Any) -> int:
    """Run the night, and return the number of files that it extracted."""
    days = nightly(pipeline)
    extracted = pipeline.extract(days).work.extracted
    pipeline.integrate(days)
    pipeline.publish(days)
    return int(extracted)


def test_a_model_embeds_the_corpus_once_and_another_model_embeds_it_again(
    published: Any, use: Any, tmp_path: Path, spark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, before, described = published, features(published), musical(published)
    assert late_days(pipeline.lake, NIGHT) == []
    without = pipeline.database.tracks.find_one("t0")
    assert not {"embedding", "embedding_version"} & without.keys()

    use(onnx_models.projection(tmp_path / "first.onnx", WINDOW))
    assert night(pipeline) == SOUND_FILES, "rejected files are not decoded again"
    assert f"{SOUND_FILES} of them for their musical descriptors or embedding only" in capsys.readouterr().out
    assert features(pipeline) == before
    assert musical(pipeline) == described
    first = {row["path"]: row["embedding_version"] for row in pipeline.rows("features")}
    assert len({*first.values()}) == 1
    assert nightly(pipeline).late == ()
    document = pipeline.database.tracks.find_one("t0")
    row = next(each for each in pipeline.rows("features") if each["track_id"] == "t0")
    assert np.frombuffer(document["embedding"], "<f4").tolist() == row["embedding"]
    assert len(row["embedding"]) == 6
    assert document["embedding_version"] == row["embedding_version"]
    assert {**document, "digest": 0, "embedding": 0, "embedding_version": 0} == {
        **without,
        **dict.fromkeys(("digest", "embedding", "embedding_version"), 0),
    }
    from segue.audio.extract import extract

    here = extract(pipeline.music / row["path"], configured())
    assert isinstance(here, Track)
    assert here.embedding is not None
    assert here.embedding.vector is not None
    assert here.embedding.vector.tolist() == row["embedding"]

    use(onnx_models.projection(tmp_path / "second.onnx", WINDOW, dimensions=4, seed=1))
    assert night(pipeline) == SOUND_FILES
    assert {len(each) for each in embeddings(pipeline).values()} == {4}
    assert features(pipeline) == before
    settings = get_settings().model_copy(update={"lake": pipeline.lake.uri})
    assert dataset.export(spark, settings, tmp_path / "export")["embeddings"] == SOUND_FILES
    exported = spark.read.parquet(str(tmp_path / "export/embeddings")).where("track_id = 't0'").collect()
    kept = pipeline.database.tracks.find_one("t0")
    assert exported[0]["embedding"] == np.frombuffer(kept["embedding"], "<f4").tolist()
    assert exported[0]["embedding_version"] == kept["embedding_version"] != document["embedding_version"]


def test_tracks_are_compared_by_their_embedding_if_it_is_named(published: Any, use: Any, tmp_path: Path) -> None:
    database = published.database
    for collection in ("announced", "sounds"):
        database.drop_collection(collection)
    for day, tracks in rows_of_days(published).items():
        database.announced.insert_one({"_id": str(day), "day": str(day), "tracks": tracks, "digest": 1})
    assert sounds.update(database) == SOUND_FILES
    use(onnx_models.projection(tmp_path / "model.onnx", WINDOW))
    night(published)
    database.tracks.update_one({"_id": "t1"}, {"$unset": {"embedding": "", "embedding_version": ""}})
    assert sounds.update(database) == 0
    live = LiveSounds(database)
    live.refresh()
    by_features = live.index.vectors(["t0", "t2"])
    assert sounds.update(database, vectors=("features", "embedding")) == SOUND_FILES
    live.refresh()
    assert not np.allclose(live.index.vectors(["t0", "t2"]), by_features)
    assert live.index.vector("t1").any(), "the mean stands for what it lacks"
    assert sounds.update(database, vectors=("features", "embedding")) == 0
    assert sounds.update(database, vectors=("embedding",)) == SOUND_FILES
    live.refresh()
    assert not live.index.vector("t1").any(), "it is nowhere, and near nothing"
    assert live.index.vector("t0").any()
    for collection in ("announced", "sounds"):
        database.drop_collection(collection)


def rows_of_days(pipeline: Any) -> dict[date, int]:
    counted = pipeline.lake.read("tracks").groupBy("partition_date").count().collect()
    return {row["partition_date"]: row["count"] for row in counted}


def test_a_track_without_an_embedding_is_published_and_not_embedded_again(
    integrated: Any, use: Any, tmp_path: Path, music: Path
) -> None:
    use(onnx_models.logarithm(tmp_path / "log.onnx"))
    soundfile.write(music / "offset.flac", 0.5 + np.sin(np.arange(3 * RATE) / 9) / 4, RATE)
    soundfile.write(music / "below.flac", np.sin(np.arange(3 * RATE) / 9) / 4 - 0.5, RATE)
    integrated.inventory()
    night(integrated)
    found = {row["path"]: row for row in integrated.rows("features")}
    assert np.allclose(found["offset.flac"]["embedding"], np.log(0.5), atol=0.05)
    below = found["below.flac"]
    assert (below["embedding"], below["embedding_error"]) == (
        None,
        "The model returns numbers that are not finite.",
    )
    assert len(below["features"]) == 518
    document = integrated.database.tracks.find_one({"path": "below.flac"})
    assert not {"embedding", "embedding_version"} & document.keys()
    assert integrated.database.tracks.find_one({"path": "offset.flac"})["embedding_version"]
    assert nightly(integrated).late == ()
    assert integrated.extract().work.extracted == 0


def test_a_model_that_cannot_be_used_is_named_before_anything_is_done(
    integrated: Any, use: Any, tmp_path: Path
) -> None:
    states = {name: integrated.rows(name) for name in ("features", "rejects")}
    (tmp_path / "letter.onnx").write_text("Dear Sir,")
    for name, said in (("none.onnx", "there is no such file"), ("letter.onnx", "is no model that ONNX Runtime")):
        use(tmp_path / name)
        for job in (integrated.extract, lambda: late_days(integrated.lake, NIGHT)):
            with pytest.raises(ConfigurationError, match=f"{name}.*{said}"):
                job()
    assert {name: integrated.rows(name) for name in states} == states


def test_without_a_model_the_embeddings_stay_and_so_do_descriptors_that_are_switched_off(
    integrated: Any, use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = musical(integrated)
    use(onnx_models.projection(tmp_path / "model.onnx", WINDOW))
    monkeypatch.setenv("SEGUE_AUDIO_MUSICAL", "false")
    get_settings.cache_clear()
    assert integrated.extract().work.extracted == SOUND_FILES
    assert musical(integrated) == described
    embedded = embeddings(integrated)
    assert all(embedded.values())
    monkeypatch.delenv("SEGUE_AUDIO_EMBEDDING_MODEL")
    get_settings.cache_clear()
    assert integrated.extract().work.extracted == 0
    assert embeddings(integrated) == embedded
