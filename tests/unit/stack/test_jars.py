from __future__ import annotations

import re
import shutil
from collections import Counter

import pytest

from segue.errors import StackError
from segue.settings import Settings
from segue.stack import jars


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_jar_is_pinned_once_by_its_sha256():
    assert {jar.folder for jar in jars.pinned()} == {"kafka", "spark", "s3"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars.pinned())
    assert Counter((jar.folder, jar.artifact) for jar in jars.pinned()).most_common(1)[0][1] == 1


def test_no_jar_of_spark_is_one_that_pyspark_ships():
    shipped = {re.sub(r"-\d.*", "", path.name) for path in (jars.spark_home() / "jars").glob("*.jar")}
    assert shipped
    assert not {jar.artifact for jar in jars.pinned() if jar.folder == "spark"} & shipped


def test_connectors_are_made_for_the_pyspark_that_is_installed():
    import pyspark

    version = {jar.artifact: jar.version for jar in jars.pinned()}
    series = ".".join(pyspark.__version__.split(".")[:2])
    assert version["spark-sql-kafka-0-10_2.13"] == pyspark.__version__
    assert f"delta-spark_{series}_2.13" in version


def test_a_folder_with_a_jar_too_few_or_too_many_is_not_complete(tmp_path):
    settings = Settings(jars=tmp_path)
    for folder in jars.FOLDERS:
        (tmp_path / folder).mkdir()
        for path in jars.paths(settings, folder):
            path.touch()
    assert jars.missing(settings) == []
    jars.paths(settings, "kafka")[0].unlink()
    (tmp_path / "spark" / "delta-spark-of-yesterday.jar").touch()
    assert jars.missing(settings) == ["kafka", "spark"]


def test_the_jars_of_object_stores_are_needed_only_where_a_place_is_in_one(tmp_path):
    assert jars.needed(Settings(lake=str(tmp_path))) == ("kafka", "spark")
    for place in ({"lake": "s3a://bucket/lake"}, {"music": "s3://bucket"}, {"models": "s3://bucket/models"}):
        assert jars.needed(Settings(**place)) == ("kafka", "spark", "s3")


@pytest.mark.usefixtures("empty_cache")
def test_without_a_network_the_message_tells_the_remedy_and_nothing_half_made_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1")
    settings = Settings(jars=tmp_path / "jars")
    with pytest.raises(StackError, match="is this machine online"):
        jars.fetch(settings)
    assert not (settings.jars_dir / "kafka").exists()
    assert jars.missing(settings) == ["kafka", "spark"]


@pytest.mark.integration
def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path, monkeypatch, settings):
    jars.fetch(settings)  # so that Ivy's cache has them
    shutil.copy(jars.HERE / "ivysettings.xml", tmp_path)
    (tmp_path / "jars.lock").write_text(f"kafka org.pcollections:pcollections:4.0.2 {'0' * 64}\n")
    monkeypatch.setattr(jars, "HERE", tmp_path)
    jars.pinned.cache_clear()
    try:
        with pytest.raises(StackError, match="instead of the pinned 0000"):
            jars.fetch(Settings(jars=tmp_path / "jars"))
    finally:
        jars.pinned.cache_clear()
    assert not (tmp_path / "jars" / "kafka").exists()
