from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.commands.config import corpus_name
from segue.settings import get_settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a folder with an empty home and no settings file yet."""
    monkeypatch.setenv("SEGUE_CONFIG", str(tmp_path / "segue.toml"))
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    return tmp_path


def segue(*arguments):
    get_settings.cache_clear()  # as in a new process
    return CliRunner().invoke(app, list(arguments))


def shown():
    return json.loads(segue("config", "--json").stdout)


def test_init_is_remembered_by_every_later_command(project):
    (project / "My Music").mkdir()
    assert segue("init", "--music", str(project / "My Music"), "--set", "api_port=8100").exit_code == 0
    found, file = shown(), str(project / "segue.toml")
    assert found["corpus"] == {"value": corpus_name(str(project / "My Music")), "source": file}
    assert found["music"] == {"value": str(project / "My Music"), "source": file}
    assert found["api_port"] == {"value": "8100", "source": file}
    assert found["home"]["source"] == "SEGUE_HOME"
    assert not (project / "home").exists()


def test_another_corpus_drops_what_belongs_to_the_one_before(project):
    for name in ("a", "b"):
        (project / name).mkdir()
    segue(
        "init", "--music", str(project / "a"), "--set", f"metadata={project / 'a.csv'}", "--set", "api_port=8100"
    )
    segue("init", "--music", str(project / "b"))
    assert shown()["metadata"] == {"value": None, "source": "default"}
    assert shown()["api_port"]["value"] == "8100"
    segue("init", "--sample")
    assert shown()["corpus"]["value"] == "sample"
    assert shown()["music"]["source"] == "default"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--music", "/nowhere"], "There is no folder /nowhere."),
        (["--set", "kafka_port=0"], "SEGUE_KAFKA_PORT='0'"),
        (["--set", "kafka_prot=1"], "Did you mean kafka_port?"),
        (["--set", "home=/elsewhere"], "is set in the environment and wins over segue.toml. Unset it first."),
    ],
)
def test_init_refuses_what_cannot_work_and_leaves_the_file_as_it_is(project, arguments, said):
    (project / "segue.toml").write_text("# mine\n")
    refused = segue("init", *arguments)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert (project / "segue.toml").read_text() == "# mine\n"


@pytest.mark.usefixtures("project")
def test_passwords_are_not_shown_and_unknown_variables_are_named(monkeypatch):
    monkeypatch.setenv("SEGUE_KAFKA_SASL_PASSWORD", "hidden")
    monkeypatch.setenv("SEGUE_MONGO_URI", "mongodb://me:hidden@host/")
    monkeypatch.setenv("SEGUE_MUSIK", "/music")
    told = segue("config", "--json")
    assert "hidden" not in told.stdout
    assert json.loads(told.stdout)["mongo_uri"]["value"] == "mongodb://me:********@host/"
    assert "SEGUE_MUSIK is not a setting" in told.stderr
    shown = json.loads(segue("config", "--json", "--passwords").stdout)
    assert shown["mongo_uri"]["value"] == "mongodb://me:hidden@host/"
    assert shown["kafka_sasl_password"]["value"] == "hidden"


@pytest.mark.parametrize(
    "command",
    [
        ["models", "list"],
        ["users", "list"],
        ["recommend", "anybody"],
        ["simulate"],
        ["serve"],
        ["live"],
        ["dlq", "list"],
        ["status"],
        ["logs"],
        ["config"],
        ["doctor"],
        ["rejects"],
        ["unpause"],
        ["backup", "there"],
        ["restore", "there"],
        ["export", "there"],
        ["rebuild", "listens"],
        ["users", "add", "anna"],
        ["users", "forget", "--simulated", "--yes"],
        ["import", "lastfm", "history.csv", "--user", "anna"],
        ["alerts", "test"],
        ["replicate"],
        ["airflow", "dags", "list"],
        ["down"],
        ["clean", "--yes"],
    ],
    ids=" ".join,
)
def test_no_command_makes_a_folder_for_a_corpus_that_does_not_exist(project, monkeypatch, command):
    monkeypatch.setenv("SEGUE_CORPUS", "typo")
    monkeypatch.chdir(project)
    (project / "history.csv").write_text("Björk,Homogenic,Jóga,01 Jan 2026 12:00\n")
    segue(*command)
    assert not (project / "home").exists()


def test_a_corpus_that_does_not_exist_is_refused_with_where_its_name_comes_from(project):
    (project / "segue.toml").write_text('corpus = "typo"\n')
    refused = segue("models", "list")
    assert refused.exit_code == 1
    assert "no corpus 'typo'" in refused.stderr
    assert "segue.toml" in refused.stderr


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("arguments", [["models"], ["models", "list", "--help"], ["recommend", "--help"]])
def test_help_needs_no_corpus(arguments):
    assert "Usage" in segue(*arguments).output
