from __future__ import annotations

from datetime import date

import pytest

from segue.corpus import sources
from segue.errors import ConfigurationError, CorpusError
from segue.settings import Settings, get_settings


def found(music, **changes):
    return str(sources.find(Settings(music=music, **changes)))


def test_a_folder_of_music_alone_has_only_tags(tmp_path, spark):
    source = sources.find(Settings(music=tmp_path))
    assert str(source) == "tags only"
    assert source.read(date(2026, 3, 1)).to_spark(spark).collect() == []


def test_a_table_in_the_music_folder_is_found(tmp_path):
    (tmp_path / "metadata.csv").touch()
    assert found(tmp_path) == f"table {tmp_path}/metadata.csv"


@pytest.mark.parametrize("music", [".", "fma_large"])
def test_the_folder_of_fma_is_found_in_or_beside_the_music(tmp_path, music):
    for folder in ("fma_large", "fma_metadata"):
        (tmp_path / folder).mkdir()
    (tmp_path / "fma_metadata" / "tracks.csv").touch()
    (tmp_path / "metadata.csv").touch()
    assert found(tmp_path / music) == f"FMA {tmp_path}/fma_metadata"


def test_what_the_setting_names_comes_first(tmp_path):
    (tmp_path / "fma_metadata").mkdir()
    (tmp_path / "fma_metadata" / "tracks.csv").touch()
    assert found(tmp_path, metadata=tmp_path / "my.parquet") == f"table {tmp_path}/my.parquet"
    assert found(tmp_path / "a" / "b", metadata=tmp_path / "fma_metadata") == f"FMA {tmp_path}/fma_metadata"


@pytest.mark.parametrize("table", [None, "metadata.csv", "elsewhere/my.csv"])
def test_a_hierarchy_of_genres_beside_the_table_or_the_music_is_read(tmp_path, table):
    place = (tmp_path / (table or "metadata.csv")).parent
    place.mkdir(exist_ok=True)
    hierarchy = place / "genres.csv"
    hierarchy.write_text("genre_id,parent,title,top_level\n1,0,Rock,1\n2,1,Punk,1\n3,2, Oi! ,1\n")
    if table:
        (tmp_path / table).write_text("track_id,file\n")
    source = sources.find(Settings(music=tmp_path, metadata=tmp_path / table if table else None))
    assert str(source).endswith(f", genres {hierarchy}")
    read = source.read(date(2026, 3, 1))
    assert read.tops == {"rock": "Rock", "punk": "Rock", "oi!": "Rock"}
    hierarchy.write_text("genre_id,parent,title,top_level\n1,0,Rock,1\n2,1,Punk,2\n")
    assert source.read(date(2026, 3, 1)).digest != read.digest


def test_a_hierarchy_without_a_top_genre_or_a_title_is_refused(tmp_path):
    (tmp_path / "genres.csv").write_text("genre_id,title,top_level\n2,Punk,1\n")
    with pytest.raises(CorpusError, match=r"no table of genres like FMA's: 1\. It needs genre_id, title and"):
        sources.find(Settings(music=tmp_path)).read(date(2026, 3, 1))
    (tmp_path / "genres.csv").write_text("genre_id,title,top_level\n1, ,1\n")
    with pytest.raises(CorpusError, match="has a genre without title"):
        sources.find(Settings(music=tmp_path)).read(date(2026, 3, 1))


def test_the_mapping_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("SEGUE_METADATA_COLUMNS", "track_id=id,artist=Artist Name")
    assert Settings().metadata_mapping == {"track_id": "id", "artist": "Artist Name"}
    assert Settings(metadata_columns="").metadata_mapping == {}


def test_a_mapping_that_is_none_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("SEGUE_METADATA_COLUMNS", "track_id")
    get_settings.cache_clear()
    with pytest.raises(ConfigurationError, match="SEGUE_METADATA_COLUMNS='track_id'"):
        get_settings()
    get_settings.cache_clear()
