from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.support import live_corpus
from tests.support.registries import (
    empty_database,
    error_of_opening,
    fresh_processes,
    new_registry,
    open_at_once,
    succeed_at_once,
)
from typer.testing import CliRunner

from segue.cli import app
from segue.connections import champions
from segue.connections.registry import Registry
from segue.errors import ModelError, ServiceUnavailableError
from segue.settings import Settings, get_settings


@pytest.fixture
def registry(tmp_path):
    return new_registry(tmp_path / "a home")


@pytest.fixture
def model(spark):
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StringIndexer

    return Pipeline(stages=[StringIndexer(inputCol="a", outputCol="b")]).fit(
        spark.createDataFrame([("x",)], "a string")
    )


def test_a_registry_that_does_not_answer_is_one_sentence_without_its_password(tmp_path, monkeypatch, free_ports):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    [port] = free_ports(1)
    with pytest.raises(
        ServiceUnavailableError, match=rf"cannot be reached at http://me:\*+@127.0.0.1:{port}.*Start MLflow"
    ) as told:
        Registry(Settings(home=tmp_path, mlflow_tracking_uri=f"http://me:hidden@127.0.0.1:{port}"))
    assert "hidden" not in str(told.value)


def test_champions_are_read_without_a_registry_and_from_a_server_that_answers(tmp_path, free_ports):
    assert champions.read(Settings(home=tmp_path, corpus="test")) == {}
    assert not list(tmp_path.rglob("*.db")), "reading creates nothing"
    [port] = free_ports(1)
    with pytest.raises(ServiceUnavailableError, match="MLflow's server does not answer"):
        champions.read(Settings(home=tmp_path, mlflow_tracking_uri=f"http://127.0.0.1:{port}"))


def register(registry, model, name="toy", **changes):
    return registry.register(
        name,
        model,
        **({"parameters": {"p": 1}, "metrics": {"f1": 0.5}, "tags": {"t": "x"}, "report": {"é": 1}} | changes),
    )


def test_processes_may_open_a_new_registry_at_once(tmp_path):
    with fresh_processes(3) as openers:
        opened = [openers.submit(open_at_once, tmp_path, number, 3) for number in range(3)]
        assert [each.result(timeout=120) for each in opened] == ["None"] * 3


def test_an_empty_registry_has_no_champion(registry, tmp_path):
    assert registry.champion("toy") is None
    assert champions.read(Settings(home=tmp_path / "a home", corpus="test")) == {}


def test_a_registered_model_does_not_serve_until_it_is_promoted(registry, model):
    version = register(registry, model)
    assert registry.champion("toy") is None
    registry.promote(version)
    assert registry.champion("toy") == version
    assert (version.number, version.metrics, version.tags) == (1, {"f1": 0.5}, {"t": "x"})


def test_a_folder_that_was_deleted_and_made_anew_is_noticed_by_a_registry_that_is_open(registry, tmp_path):
    def write(folder):
        folder.mkdir()

    registry.promote(register(registry, write))
    folder = tmp_path / "a home" / "test" / "mlflow"
    shutil.rmtree(folder)
    assert registry.champion("toy") is None
    assert not folder.exists(), "looking creates nothing"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_database())  # as a training in another process does
    assert registry.champion("toy") is None
    version = register(registry, write)
    registry.promote(version)
    assert (registry.champion("toy"), version.number) == (version, 1)


def test_the_old_champion_is_kept_and_can_serve_again(registry, model):
    first, second = register(registry, model), register(registry, model)
    registry.promote(first)
    registry.promote(second)
    assert registry.champion("toy") == second
    assert first.load().stages
    registry.promote(first)
    assert registry.champion("toy") == first


def test_a_challenger_is_compared_until_it_serves_or_the_comparison_ends(registry, tmp_path):
    settings = Settings(home=tmp_path / "a home", corpus="test")
    first, second = (register(registry, Path.mkdir) for _ in range(2))
    with pytest.raises(ModelError, match="no champion of 'toy' that toy/2 could be compared with"):
        registry.challenge(second)
    registry.promote(first)
    with pytest.raises(ModelError, match=r"toy/1 is the champion\. Name another version"):
        registry.challenge(first)
    registry.challenge(second)
    assert registry.challenger("toy").number == second.number
    assert champions.read(settings, champions.CHALLENGER) == {"toy": "2"}
    assert champions.read(settings) == {"toy": "1"}
    for _ in range(3):
        register(registry, Path.mkdir)
    registry.prune("toy", keep=1)
    assert registry.challenger("toy").number == second.number
    before = registry.challenger("toy")
    time.sleep(0.002)
    registry.challenge(second)
    assert not registry.end_challenge(before, promote=True), "it was named anew"
    assert registry.champion("toy").number == 1
    assert registry.end_challenge(registry.challenger("toy"))
    assert registry.challenger("toy") is None
    assert not registry.end_challenge(second)
    registry.challenge(second)
    registry.promote(second)
    assert registry.challenger("toy") is None, "it would be compared with itself"
    registry.challenge(first)
    assert registry.end_challenge(registry.challenger("toy"), promote=True)
    assert (registry.champion("toy").number, registry.challenger("toy")) == (1, None)
    assert registry.rollback("toy").number == 2


def test_the_command_names_a_challenger_and_ends_the_comparison(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "a home"))
    monkeypatch.setenv("SEGUE_CORPUS", "test")
    monkeypatch.setenv("SEGUE_CHALLENGER_SHARE", "0.1")
    get_settings.cache_clear()
    promoted, _, _ = (register(registry, live_corpus.model(0).save, name="recommender") for _ in range(3))
    broken = register(registry, Path.mkdir, name="recommender")
    registry.promote(promoted)

    def segue(*arguments: str, exit_code: int = 0) -> str:
        ended = CliRunner().invoke(app, ["models", *arguments])
        assert ended.exit_code == exit_code, ended.output
        return " ".join(ended.output.split())

    assert "Only versions of the recommender" in segue("challenge", "genre", "1", exit_code=2)
    assert "Give either the number of a version or --end" in segue("challenge", "recommender", exit_code=2)
    assert "There is no recommender/9" in segue("challenge", "recommender", "9", exit_code=1)
    assert segue("challenge", "recommender", str(broken.number), exit_code=1)
    assert registry.challenger("recommender") is None, "it could not be served"
    assert (
        segue("challenge", "recommender", "2")
        == "recommender/2 is compared with recommender/1; 10% of the listeners get interleaved lists."
    )
    assert re.search(r"recommender/2 │ challenger", segue("list"))
    assert "recommender/3 is compared with recommender/1, in place of recommender/2;" in segue(
        "challenge", "recommender", "3"
    )
    segue("challenge", "recommender", "2")
    assert segue("challenge", "recommender", "--end") == "recommender/2 is compared no more."
    assert segue("challenge", "recommender", "--end") == "No version was compared."
    monkeypatch.setenv("SEGUE_CHALLENGER_SHARE", "0")
    get_settings.cache_clear()
    assert "nobody gets its tracks yet: set SEGUE_CHALLENGER_SHARE" in segue("challenge", "recommender", "2")


def test_a_rollback_goes_back_through_what_served_and_stops_at_the_first(registry, tmp_path):
    versions = [register(registry, Path.mkdir) for _ in range(4)]
    for version in (versions[0], versions[1], versions[3]):  # the third never served
        registry.promote(version)
    assert registry.rollback("toy") == versions[1]
    assert registry.rollback("toy") == registry.champion("toy") == versions[0]
    with pytest.raises(ModelError, match="toy/1 replaced no version"):
        registry.rollback("toy")
    assert registry.champion("toy") == versions[0]
    assert champions.read(Settings(home=tmp_path / "a home", corpus="test")) == {"toy": "1"}


def test_promoting_the_champion_again_does_not_lose_what_it_replaced(registry):
    first, second = register(registry, Path.mkdir), register(registry, Path.mkdir)
    for version in (first, second, second):
        registry.promote(version)
    assert registry.rollback("toy") == first


def test_a_successor_serves_only_if_what_it_was_made_from_still_does(registry):
    first, second, third = (register(registry, Path.mkdir) for _ in range(3))
    assert not registry.succeed(first, second)
    assert registry.champion("toy") is None
    registry.promote(first)
    assert registry.succeed(first, second)
    assert registry.champion("toy") == second
    assert not registry.succeed(first, third)
    assert registry.rollback("toy") == first
    assert not registry.succeed(second, third)
    assert registry.champion("toy") == first


def test_old_versions_are_deleted_but_not_what_serves_what_it_replaced_or_what_is_spared(registry):
    versions = [register(registry, Path.mkdir) for _ in range(7)]
    for version in versions[:4]:
        registry.promote(version)
    registry.prune("toy", lambda version: version.number == 1, keep=2)
    assert [version.number for version in registry.versions()] == [7, 6, 4, 3, 2, 1]
    registry.prune("toy", lambda _: False, keep=1)
    assert [version.number for version in registry.versions()] == [7, 4, 3]
    there = [Path(version.location.removeprefix("file:")).parent.exists() for version in versions]
    assert there == [False, False, True, True, False, False, True]
    assert registry.rollback("toy") == versions[2]
    with pytest.raises(ModelError, match="replaced no version that is still stored"):
        registry.rollback("toy")


def test_of_deleted_versions_only_one_row_stays_in_mlflows_database(registry):
    def rows() -> dict[str, int]:
        tables = ["runs", "params", "metrics", "latest_metrics", "tags", "model_version_tags", "model_versions"]
        with closing(sqlite3.connect(registry._store.file)) as database:
            counts = (database.execute(f"SELECT COUNT(*) FROM {table}").fetchone() for table in tables)  # noqa: S608
            return {table: count for table, (count,) in zip(tables, counts, strict=True)}

    def registered(count: int) -> dict[str, int]:
        for _ in range(count):
            registry.promote(register(registry, Path.mkdir))
        registry.prune("toy", keep=1)
        return rows()

    before = registered(3)
    after = registered(3)
    assert after.pop("model_versions") == before.pop("model_versions") + 3
    assert after == before
    assert before["params"] == before["metrics"] == before["runs"] == 2


class Stopped(BaseException):
    """In place of a kill."""


@pytest.mark.parametrize(
    "step", ["delete_run", "delete_model_version_tag", "delete_model_version", "delete_registered_model_tag"]
)
def test_what_a_kill_leaves_of_old_versions_is_deleted_by_the_next_call(registry, monkeypatch, step):
    versions = [register(registry, Path.mkdir) for _ in range(4)]
    for version in versions:
        registry.promote(version)

    def stop(*_):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(registry._client, step, stop)
        with pytest.raises(Stopped):
            registry.prune("toy", keep=1)
    assert registry.champion("toy") == versions[3]
    registry.promote(register(registry, Path.mkdir))
    registry.prune("toy", keep=1)
    assert [version.number for version in registry.versions()] == [5, 4]
    runs = registry._client.search_runs([registry._experiment("toy")])
    assert len(runs) == 2, "a run for each version"
    assert registry._client.get_registered_model("toy").tags == {"replaced_by_5": "4"}


def test_of_successors_that_come_at_once_exactly_one_serves(registry, tmp_path):
    for _ in range(4):
        register(registry, Path.mkdir)
    registry.promote(registry.version("toy", 1))
    with fresh_processes(3) as rivals:
        answers = {number: rivals.submit(succeed_at_once, tmp_path / "a home", number, 3) for number in (2, 3, 4)}
        served = [number for number, answer in answers.items() if answer.result(timeout=120)]
    champion = registry.champion("toy")
    assert champion is not None
    assert served == [champion.number]


def test_a_version_or_model_that_is_not_there_is_named(registry):
    register(registry, Path.mkdir)
    with pytest.raises(ModelError, match="no toy/7"):
        registry.version("toy", 7)
    with pytest.raises(ModelError, match="no champion of 'toy'"):
        registry.rollback("toy")
    with pytest.raises(ModelError, match="no champion of 'nothing'"):
        registry.rollback("nothing")


def test_the_command_lists_promotes_and_rolls_back(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "a home"))
    monkeypatch.setenv("SEGUE_CORPUS", "test")
    get_settings.cache_clear()
    for _ in range(2):
        register(registry, Path.mkdir)

    def segue(*arguments: str) -> str:
        return CliRunner().invoke(app, ["models", *arguments]).output

    segue("promote", "toy", "1")
    assert "toy/2 is the champion." in segue("promote", "toy", "2")
    assert "toy/1 is the champion, in place of toy/2." in segue("rollback", "toy")
    assert re.search(r"toy/2 +│ was champion │ toy/1 .*toy/1 +│ champion", segue("list"), re.DOTALL)
    listed = {row["version"]: row for row in json.loads(segue("list", "--json"))}
    assert (listed["toy/1"]["role"], listed["toy/2"]["role"]) == ("champion", "was champion")
    assert listed["toy/2"]["replaced"] == "toy/1"
    assert "no toy/9" in segue("promote", "toy", "9")
    get_settings.cache_clear()


def test_a_version_is_a_folder_in_sparks_format_with_its_report_beside_it(registry, model, spark):
    version = register(registry, model)
    loaded = version.load()
    assert loaded.transform(spark.createDataFrame([("x",)], "a string")).first().b == 0.0
    folder = Path(version.location.removeprefix("file:"))
    assert (folder / "metadata").is_dir()
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    assert json.loads((folder.parent / "report.json").read_text()) == {"é": 1}


def test_other_texts_are_kept_beside_the_model_too(registry):
    version = register(registry, lambda folder: folder.mkdir(), texts={"report.html": "<h1>é</h1>"})
    folder = Path(version.location.removeprefix("file:")).parent
    assert (folder / "report.html").read_text() == "<h1>é</h1>"
    assert json.loads((folder / "report.json").read_text()) == {"é": 1}


def test_another_process_finds_the_champion(registry, model, tmp_path):
    registry.promote(register(registry, model))
    again = Registry(Settings(home=tmp_path / "a home", corpus="test"))
    assert again.champion("toy") == registry.champion("toy")


@pytest.mark.parametrize("size", [0, 50, 400_000], ids=["empty", "header", "half"])
@pytest.mark.usefixtures("registry")
def test_a_cut_database_of_mlflow_gives_one_sentence_with_the_remedy(tmp_path, size):
    file = tmp_path / "a home" / "test" / "mlflow" / "mlflow.db"
    file.write_bytes(file.read_bytes()[:size])
    with fresh_processes(1) as opener:  # because MLflow keeps what it has opened
        said = opener.submit(error_of_opening, tmp_path / "a home").result(timeout=120)
    assert f"{file} is damaged: " in said
    assert "`segue doctor --repair`" in said
    assert len(said.splitlines()) == 1


def test_a_copied_state_folder_loads_and_prunes_its_own_models(tmp_path):
    def write(folder):
        folder.mkdir()
        (folder / "weights").write_text("7")

    first = new_registry(tmp_path / "first")
    for _ in range(3):
        first.promote(register(first, write))
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    second = Registry(Settings(home=tmp_path / "second", corpus="test"))
    assert second.champion("toy").folder().is_relative_to(tmp_path / "second")
    second.promote(register(second, write))
    second.prune("toy", keep=1)
    assert all((version.folder() / "weights").exists() for version in first.versions())
    assert {version.number for version in second.versions()} < {4, 3, 2, 1}
    assert Registry(Settings(home=tmp_path / "first", corpus="test")).champion("toy").number == 3
