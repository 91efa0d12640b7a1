from __future__ import annotations

import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.demo import report, run
from segue.errors import StackError


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
