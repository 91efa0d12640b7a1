from __future__ import annotations

from types import SimpleNamespace

import pytest

from segue.connections import alerts
from segue.errors import CorpusError

INSTANCE = SimpleNamespace(dag_id="corpus", run_id="manual__2026-11-28T01:02:03+00:00", task_id="quality_gate")


@pytest.fixture
def sent(monkeypatch):
    calls = []
    monkeypatch.setattr(alerts, "send", lambda _, title, text, *, kind: calls.append((title, text, kind)))
    return calls


def test_a_failed_task_says_why_and_where_to_look(sent):
    from segue_alerts import TaskFailed

    TaskFailed()({"ti": INSTANCE, "exception": CorpusError("3 days did not pass.")})
    [(title, text, kind)] = sent
    assert (title, kind) == ("Segue: corpus failed in quality_gate", "failure")
    assert "3 days did not pass." in text
    assert text.endswith("/dags/corpus/runs/manual__2026-11-28T01%3A02%3A03%2B00%3A00")


def test_a_killed_task_has_no_reason(sent):
    from segue_alerts import TaskFailed

    TaskFailed()({"ti": INSTANCE})
    assert "Its process was killed" in sent[0][1]
