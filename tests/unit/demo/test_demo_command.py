from __future__ import annotations

import time
from unittest.mock import MagicMock

import pytest
from rich.console import Console
from typer.testing import CliRunner

from segue.cli import app
from segue.connections.offsets import OffsetWindow
from segue.console import PlainConsole
from segue.demo import report, run
from segue.errors import StackError
from segue.overview.dags import DAGS
from segue.settings import Settings, get_settings
from segue.stack.airflow import Login


@pytest.mark.parametrize(
    ("failures", "code"), [({}, 0), ({"recommender": "recommender.train failed."}, 1)], ids=["green", "a model"]
)
def test_a_model_that_cannot_be_trained_ends_the_demo_with_its_table_and_code_1(monkeypatch, failures, code):
    outcome = run.Outcome(runs={"corpus": "manual"}, failures=failures)
    shown = []
    monkeypatch.setattr(run, "run", lambda *_, **__: outcome)
    monkeypatch.setattr(report, "show", lambda _, outcome, __: shown.append(outcome))
    assert CliRunner().invoke(app, ["demo"]).exit_code == code
    assert shown == [outcome]


def test_what_fails_is_noted_with_its_sentence_and_the_demo_goes_on():
    outcome, said = run.Outcome(), []
    with run._noted("genre_model", outcome, said.append):
        raise StackError("genre_model.train failed. The end of its log: no track has a genre")
    assert outcome.failures == {"genre_model": said[0]}
    assert said[0].startswith("genre_model.train failed.")


@pytest.mark.parametrize(
    ("arguments", "simulated"),
    [([], True), (["--no-simulate"], False), (["--music", "."], False), (["--music", ".", "--simulate"], True)],
)
def test_listeners_are_simulated_in_the_sample_corpus_and_on_demand(monkeypatch, tmp_path, arguments, simulated):
    monkeypatch.setenv("SEGUE_CONFIG", str(tmp_path / "segue.toml"))
    get_settings.cache_clear()
    asked = []
    monkeypatch.setattr(run, "run", lambda *_, simulate, **__: asked.append(simulate) or run.Outcome())
    monkeypatch.setattr(report, "show", lambda *_: None)
    assert CliRunner().invoke(app, ["demo", *arguments]).exit_code == 0
    assert asked == [simulated]


def test_after_the_demo_no_dag_is_paused(monkeypatch, tmp_path):
    """The DAGs that the demo does not trigger are paused when Airflow first reads them."""
    on = set()
    api = MagicMock()
    api.__enter__.return_value = api
    api.set_paused.side_effect = lambda dag_id, paused: None if paused else on.add(dag_id)
    api.paused.side_effect = lambda: sorted(set(DAGS) - on)
    monkeypatch.setattr(run, "AirflowApi", lambda *_: api)
    monkeypatch.setattr(run.lifecycle, "up", lambda *_, **__: None)
    monkeypatch.setattr(run.airflow, "login", lambda _: Login("http://127.0.0.1:1", "admin", "-"))
    for name in ("wait_for_dags", "follow"):
        monkeypatch.setattr(run, name, lambda *_: None)
    monkeypatch.setattr(run.offsets, "whole_topic", lambda *_: OffsetWindow("listens", {}))
    (tmp_path / "a.mp3").write_bytes(b"x")
    settings = Settings(home=tmp_path / "home", music=tmp_path)
    outcome = run.run(settings, Console(quiet=True), pieces=24, simulate=False)
    assert list(outcome.runs) == ["corpus", "genre_model"]
    assert on == set(DAGS)


def test_the_rendering_stops_at_once_if_the_services_do_not_start(monkeypatch, tmp_path):
    rendered = []

    def fail(*_, **__):
        raise StackError("The port is taken.")

    def render(*_, progress, **__):
        for done in range(10_000):
            rendered.append(done)
            progress(done, 10_000)
            time.sleep(0.01)

    monkeypatch.setattr(run.lifecycle, "up", fail)
    monkeypatch.setattr(run.sample, "render", render)
    with pytest.raises(StackError, match="The port is taken"):
        run.run(Settings(home=tmp_path), PlainConsole(), pieces=24, simulate=True)
    assert len(rendered) < 1_000


@pytest.mark.parametrize(("listens", "trained"), [(0, ["genre_model"]), (3, ["genre_model", "recommender"])])
def test_without_simulated_listeners_the_recommender_is_trained_if_somebody_has_listened(
    monkeypatch, listens, trained
):
    monkeypatch.setattr(run.offsets, "whole_topic", lambda *_: OffsetWindow("listens", {0: (0, listens)}))
    monkeypatch.setattr(run, "follow", lambda *_: None)
    api, outcome, console = MagicMock(), run.Outcome(), Console(record=True, width=300)
    run._run_without_listeners(Settings(), api, outcome, console)
    assert list(outcome.runs) == trained
    assert ("Nobody has listened" in console.export_text()) == (not listens)
