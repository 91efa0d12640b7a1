from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from fastapi import Request

from segue import disk

NOW = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)
SCHEMAS = {
    "day_from": {"type": ["null", "string"], "format": "date"},
    "day_to": {"type": ["null", "string"], "format": "date"},
    "replay_from": {"type": ["null", "string"], "format": "date-time"},
    "mode": {"enum": ["new", "rebuild"]},
}


@pytest.fixture
def plugin():
    import segue_params

    return segue_params


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mode": "rebuild", "day_from": None, "day_to": ""},
        {"day_from": "2026-11-28", "day_to": "2026-11-28"},
        {"day_to": "2026-11-01"},
        {"replay_from": "2026-11-28T23:29:00Z"},
        {"replay_from": "2026-11-29T00:29:00+01:00"},
    ],
)
def test_right_values_pass(plugin, given):
    assert plugin.fault(given, SCHEMAS, NOW) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"day_form": "2026-11-01"}, "There is no param 'day_form'. Did you mean 'day_from'?"),
        ({"x": 1}, "There is no param 'x'. This DAG has: day_from, day_to, replay_from, mode."),
        (
            {"day_from": "2026-11-03", "day_to": "2026-11-02"},
            "day_from (2026-11-03) is after day_to (2026-11-02).",
        ),
        ({"day_to": "2026-11-29"}, "day_to is 2026-11-29, which is in the future. It is 2026-11-28 23:30 UTC."),
        ({"replay_from": "2026-11-28T23:31:00Z"}, "replay_from is 2026-11-28T23:31:00Z, which is in the future."),
        ({"replay_from": "2026-11-28T23:31:00"}, "which is in the future."),
    ],
)
def test_wrong_values_are_said_in_one_sentence_that_names_the_param(plugin, given, said):
    assert said in plugin.fault(given, SCHEMAS, NOW)


def test_a_backfill_gives_the_day_so_that_no_param_may(plugin):
    said = plugin.fault({"day_from": "2026-11-01"}, SCHEMAS, NOW, backfill=True)
    assert said.startswith(
        "day_from is 2026-11-01, but this run belongs to a backfill. In a backfill, leave it empty"
    )
    assert plugin.fault({"mode": "rebuild"}, SCHEMAS, NOW, backfill=True) is None


def context(run_type, conf):
    params = {name: SimpleNamespace(schema=schema) for name, schema in SCHEMAS.items()}
    named = type("Params", (dict,), {"get_param": dict.__getitem__})(params)
    dag = SimpleNamespace(params=named, tags={"segue"})
    return {"task": None, "dag": dag, "dag_run": SimpleNamespace(run_type=run_type, conf=conf)}


def test_the_first_task_fails_without_a_retry(plugin):
    from airflow.sdk.exceptions import AirflowFailException

    plugin.refuse_wrong_params(context("manual", None))
    with pytest.raises(AirflowFailException, match="no param 'typo'"):
        plugin.refuse_wrong_params(context("manual", {"typo": 1}))
    with pytest.raises(AirflowFailException, match="belongs to a backfill"):
        plugin.refuse_wrong_params(context("backfill", {"day_to": "2026-11-01"}))


@pytest.fixture
def client(plugin, monkeypatch):
    """Return a client of an app behind the guard. The app answers with the body that it gets."""
    from airflow.api_fastapi.core_api import security
    from airflow.utils import session
    from fastapi import FastAPI, HTTPException
    from fastapi.testclient import TestClient

    async def resolve(token):
        if token != "right":  # noqa: S105 - not a password
            raise HTTPException(401)

    monkeypatch.setattr(security, "resolve_user_from_token", resolve)
    monkeypatch.setattr(session, "create_session", nullcontext)
    app = FastAPI()
    dag = context("manual", None)["dag"]
    app.state.dag_bag = SimpleNamespace(
        get_latest_version_of_dag=lambda dag_id, session: {"listens": dag}.get(dag_id)  # noqa: ARG005
    )

    @app.post("/api/v2/backfills")
    @app.post("/api/v2/dags/{dag_id}/dagRuns")
    async def trigger(request: Request):
        return {"got": (await request.body()).decode()}

    app.add_middleware(plugin.TriggerGuard)
    return TestClient(app, headers={"Authorization": "Bearer right"})


def test_a_wrong_trigger_is_refused_before_a_run_exists(client):
    refused = client.post("/api/v2/dags/listens/dagRuns", json={"conf": {"day_form": "2026-11-01"}})
    assert refused.status_code == 400
    assert refused.json() == {"detail": "There is no param 'day_form'. Did you mean 'day_from'?"}


def test_no_run_is_started_while_the_disk_is_full(client, monkeypatch):
    monkeypatch.setattr(disk, "fullness", lambda _: "Disk full: /srv has 0 MB left.")
    for path in ("dags/listens/dagRuns", "backfills"):
        refused = client.post(f"/api/v2/{path}", json={"dag_id": "listens"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
        assert refused.json()["detail"].startswith("Disk full: /srv has 0 MB left. Free some space.")


def test_a_backfill_whose_form_names_a_day_is_refused_before_its_runs_exist(client):
    body = {"dag_id": "listens", "dag_run_conf": {"day_from": "2026-11-01"}}
    refused = client.post("/api/v2/backfills", json=body)
    assert refused.status_code == 400
    assert "belongs to a backfill" in refused.json()["detail"]
    right = {"dag_id": "listens", "dag_run_conf": {"mode": "rebuild"}}
    assert json.loads(client.post("/api/v2/backfills", json=right).json()["got"]) == right


@pytest.mark.parametrize(
    ("dag_id", "body", "token"),
    [
        ("listens", {"conf": {"mode": "new"}}, "right"),
        ("listens", {"conf": None}, "right"),
        ("listens", ["no object"], "right"),
        ("another", {"conf": {"x": 1}}, "right"),
        ("listens", {"conf": {"x": 1}}, "wrong"),  # Airflow refuses it, and a stranger learns nothing
    ],
)
def test_everything_else_reaches_airflow_as_it_was_sent(client, dag_id, body, token):
    answer = client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body, headers={"Authorization": f"Bearer {token}"})
    assert json.loads(answer.json()["got"]) == body
