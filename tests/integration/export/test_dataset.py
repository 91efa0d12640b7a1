"""A small lake becomes a dataset that pandas reads, without names and paths."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from segue.audio.definition import N_FEATURES, feature_names
from segue.corpus.lake import Lake
from segue.corpus.schema import TRACKS
from segue.errors import ExportError
from segue.export import dataset
from segue.genres.dataset import PARTS
from segue.listens import lake_table
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration

DAY = date(2026, 1, 1)


def rows_of_tracks(genre: str, count: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(len(genre))
    return [
        {
            "track_id": f"{genre}{number}",
            "title": "Air",
            "artist": f"{genre} band {number}",
            "genre": genre,
            "path": f"/home/anna/{number}.mp3",
            "tempo_bpm": 100.0 + number,
            "features": random.normal(size=N_FEATURES).astype(np.float32).tolist(),
            "flags": [],
            "partition_date": DAY,
        }
        for number in range(count)
    ]


@pytest.fixture
def here(tmp_path: Path, spark: SparkSession) -> Settings:
    """Return the settings of a corpus whose lake has two genres, a rare one, and the listens of two listeners."""
    settings = Settings(home=tmp_path / "home", corpus="mine")
    tracks = [*rows_of_tracks("reel", 30), *rows_of_tracks("jig", 30), *rows_of_tracks("rare", 2)]
    Lake(spark, settings.lake_uri).append("tracks", spark.createDataFrame(tracks, TRACKS), {DAY})
    listens = [
        {"event_id": f"{user}{number}", "user_name": user, "track_id": f"reel{number}", "listened_at": number,
         "additional_info": '{"media_player": "at anna\'s"}', "listened_on": DAY}
        for user in ("anna", "ben") for number in range(3)
    ]  # fmt: skip
    table = lake_table.ListensTable(spark, settings.lake_uri)
    table.delta()
    spark.createDataFrame(listens, lake_table.SCHEMA).write.format("delta").mode("append").save(table.location)
    return settings


def test_the_dataset_has_features_splits_and_listens_but_no_name_of_a_listener(
    here: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    assert dataset.export(spark, here, folder) == {"tracks": 62, "features": 62, "listens": 6}
    tracks, features, listens = (pd.read_parquet(folder / name) for name in ("tracks", "features", "listens"))
    assert set(tracks.columns) == {*dataset.OF_TRACKS, "genre_part"}
    parts, tempi = (tracks.set_index("track_id")[name] for name in ("genre_part", "tempo_bpm"))
    assert tempi["jig7"] == 107
    assert set(parts.filter(like="reel")) == set(PARTS)
    assert parts.filter(like="rare").isna().all()
    assert list(features.columns) == ["track_id", "feature_version", *feature_names()]
    sent = Lake(spark, here.lake_uri).read("tracks").where("track_id = 'jig3'").first()
    assert sent is not None
    assert features.set_index("track_id").loc["jig3", feature_names()].tolist() == sent.features
    assert listens.groupby("listener")["track_id"].apply(set).tolist() == [{"reel0", "reel1", "reel2"}] * 2
    made = json.loads((folder / "versions.json").read_text())
    assert (made["rows"]["tracks"], made["champions"]) == (62, {})
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert b"anna" not in written


def test_an_existing_folder_and_a_corpus_without_tracks_are_refused(
    here: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ExportError, match="exists"):
        dataset.export(spark, here, tmp_path / "there")
    with pytest.raises(ExportError, match="no tracks yet"):
        dataset.export(spark, here.model_copy(update={"corpus": "empty"}), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "new.partial").exists()
