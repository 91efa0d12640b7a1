from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from rich.console import Console
from typer.testing import CliRunner

from segue.cli import app
from segue.connections.offsets import OffsetWindow
from segue.demo import report, run
from segue.errors import StackError
from segue.settings import Settings, get_settings


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
