"""Which drivers use the archive of Spark's classes, and that Java takes the classes from it."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from segue.commands import stack
from segue.errors import StackError
from segue.settings import PROJECT_DIR, Settings
from segue.stack import archiving, class_archive, jars, prerequisites, spark_conf


@pytest.fixture
def here(tmp_path):
    (tmp_path / "spark.jsa").touch()
    return Settings(home=tmp_path, jars=tmp_path)


def test_a_driver_that_runs_the_tasks_itself_uses_the_archive(here):
    made = spark_conf.properties(here)
    assert f"-XX:SharedArchiveFile={here.jars_dir}/spark.jsa" in made["spark.driver.extraJavaOptions"].split()
    assert made["spark.driver.extraClassPath"] == class_archive.class_path(here)
    assert "spark.jars" not in made


@pytest.mark.parametrize("other", [{"spark_master": "spark://host:7077"}, {"lake": "s3://bucket/lake"}])
def test_jobs_on_a_cluster_or_with_an_object_store_ship_the_jars(here, other):
    made = spark_conf.properties(here.model_copy(update=other))
    assert "delta-spark" in made["spark.jars"]
    assert "SharedArchiveFile" not in str(made)


def test_without_an_archive_jobs_ship_the_jars(tmp_path):
    made = spark_conf.properties(Settings(home=tmp_path, jars=tmp_path))
    assert "delta-spark" in made["spark.jars"]
    assert "SharedArchiveFile" not in str(made)


def started(class_path: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Start Spark's launcher, which prints its version and the classes that it has loaded."""
    command = [prerequisites.java(), *options, "-Xlog:class+load", "-cp", class_path]
    command += ["org.apache.spark.deploy.SparkSubmit", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.fixture
def made():
    """Return settings whose jars have the archive that the setup has made."""
    if not archiving.can_be_made():
        pytest.skip("this Java shares no classes")
    return Settings(jars=PROJECT_DIR / ".segue" / "jars")


def test_java_takes_the_classes_from_the_archive_that_the_setup_has_made(made, tmp_path):
    assert archiving.is_usable(made)
    (tmp_path / "spark-defaults.conf").touch()
    with_configuration = f"{class_archive.class_path(made)}:{tmp_path}"
    loaded = started(with_configuration, *class_archive.options(made)).stdout
    assert "org.apache.spark.deploy.SparkSubmit source: shared objects file (top)" in loaded


def test_java_says_nothing_of_an_archive_that_does_not_fit(made):
    other = ":".join(reversed(class_archive.class_path(made).split(":")))
    answer = started(other, *class_archive.options(made))
    assert "shared objects file (top)" not in answer.stdout
    assert "archive" not in answer.stdout + answer.stderr


def test_an_archive_that_java_refuses_is_not_usable(here):
    assert not archiving.is_usable(here)


def test_a_path_with_a_space_is_one_option(tmp_path):
    folder = tmp_path / "my jars"
    folder.mkdir()
    (folder / "spark.jsa").touch()
    options = spark_conf.properties(Settings(home=tmp_path, jars=folder))["spark.driver.extraJavaOptions"]
    assert f"-XX:SharedArchiveFile={folder}/spark.jsa" in shlex.split(options)


def test_a_setup_whose_archive_fails_says_so_and_goes_on(monkeypatch, capsys):
    def fails(*_):
        raise StackError("Spark did not start.")

    monkeypatch.setattr(jars, "fetch", lambda _: [])
    monkeypatch.setattr(archiving, "make", fails)
    stack.jars(class_archive=True)
    assert "Spark did not start.\nJobs work without the archive" in capsys.readouterr().out


def test_spark_that_fails_is_named_and_leaves_no_archive(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(archiving, "can_be_made", lambda: True)
    monkeypatch.setattr(archiving.sys, "executable", "false")
    with pytest.raises(StackError, match="Cannot make the archive of Spark's classes"):
        archiving.make(Settings(home=tmp_path, jars=tmp_path), said.append)
    assert said == ["Making an archive of Spark's classes, once for this Java. This takes about a minute."]
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
