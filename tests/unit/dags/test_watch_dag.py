from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.support.overview_state import listens, state

from segue.connections import alerts
from segue.errors import ServiceUnavailableError
from segue.overview.state import Problem


@pytest.fixture
def watch(dags):
    return dags["watch"]


@pytest.fixture
def look(watch, monkeypatch):
    """Run the task on a state; return what was sent. Airflow's variables and XComs are in mappings."""
    task, variables, sent, told_of_run = watch.get_task("look"), {}, [], {}
    store = SimpleNamespace(
        get=lambda key, default, deserialize_json: variables.get(key, default),  # noqa: ARG005
        set=lambda key, value, serialize_json: variables.update({key: value}),  # noqa: ARG005
    )
    monkeypatch.setitem(task.python_callable.__globals__, "Variable", store)

    def run(found, *, away=False):
        def send(_settings, title, _text, *, kind):
            if away:
                raise ServiceUnavailableError("the mail server is away")
            sent.append((title, kind))
            return 1

        monkeypatch.setattr("segue.overview.state.Cached", lambda *_: SimpleNamespace(get=lambda: found))
        monkeypatch.setattr(alerts, "send", send)
        task.python_callable(SimpleNamespace(xcom_push=told_of_run.__setitem__))
        told, sent[:] = list(sent), []
        outcome = told_of_run.pop("outcome")
        assert (
            outcome.startswith("Told 1 address: ") if told else outcome == "Nothing is new since the last alert."
        )
        return told

    return run


def test_it_runs_every_quarter_of_an_hour(watch):
    assert watch.timetable.expression == "*/15 * * * *"
    assert (watch.catchup, watch.max_active_runs) == (False, 1)
    for word in ("What", "When", "Inputs", "Outputs", "When it fails"):
        assert f"**{word}.**" in watch.doc_md


def test_people_are_told_once_and_again_when_it_is_over(look):
    assert look(state()) == [("Segue: corpus, dead letters", "warning")]
    assert look(state()) == []
    assert look(state(listens=listens(dead_letters=0))) == [("Segue: over: dead letters", "success")]


def test_what_could_not_be_sent_is_told_by_the_next_run(look):
    with pytest.raises(ServiceUnavailableError):
        look(state(), away=True)
    assert look(state()) == [("Segue: corpus, dead letters", "warning")]


def test_a_store_that_is_away_hides_what_was_wrong_with_it(look):
    look(state())
    assert look(state(listens=Problem("No Kafka broker answers."))) == [("Segue: listens", "warning")]
    assert look(state()) == [("Segue: over: listens", "success")]
