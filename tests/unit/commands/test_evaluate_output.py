from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from segue.commands.evaluate import COLUMNS, NARROW, document_of, table_of
from segue.console import PlainConsole
from segue.recommender.comparison import Row
from segue.recommender.recipe import Hyperparameters


@pytest.fixture
def outcome():
    metrics = {name: 0.0123 * at for at, name in enumerate(COLUMNS, 1)}
    rows = [Row("new tracks", model, 12_345, metrics, 0.01, 0.02) for model in ("Segue", "item cosine")]
    als = Hyperparameters(rank=3, regularization=0.1, alpha=3.0, iterations=1)
    return SimpleNamespace(
        how="time",
        rows=rows,
        rival="item cosine",
        gains={"item cosine": (0.1, 0.05, 0.15)},
        will_listen={"f1": 0.5},
        recipe=SimpleNamespace(als=als, weights={"als": 1.0}),
    )


@pytest.mark.parametrize(("columns", "longest"), [(NARROW, 80), (COLUMNS, 140)])
def test_figures_are_whole_and_the_usual_columns_fit_a_terminal(outcome, monkeypatch, capsys, columns, longest):
    monkeypatch.setenv("COLUMNS", "80")
    PlainConsole().print_whole(table_of(outcome, columns))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= longest
    for name in columns:
        assert printed.count(f"{outcome.rows[0].metrics[name]:.4f}") >= 2
    assert "0.0100-0.0200" in printed
    assert "…" not in printed


def test_the_document_has_all_metrics_unrounded(outcome):
    document = json.loads(json.dumps(document_of(outcome)))
    assert document["rows"][0]["metrics"] == outcome.rows[0].metrics
    assert document["gains"]["item cosine"] == {"ndcg@10": 0.1, "low": 0.05, "high": 0.15}
    assert document["als"]["rank"] == 3
