from __future__ import annotations

import json
import subprocess
import sys

import pytest

from segue.settings import PROJECT_DIR

LOAD = """
import json, sys
import segue_reports
light = not {"fastapi", "jinja2"} & (set(sys.modules) - before)
print(json.dumps([segue_reports.SegueReports().external_views[0]["href"], light]))
"""


@pytest.fixture(scope="module")
def plugin():
    import segue_reports

    return segue_reports


@pytest.mark.parametrize(
    ("base_url", "prefix"),
    [("http://127.0.0.1:18080", ""), ("https://host/air/flow/", "/air/flow")],
)
def test_it_is_light_to_load_and_keeps_to_airflows_base_path(tmp_path, base_url, prefix):
    """Every task loads the plugins, so that what serves must not be imported with them."""
    before = "import sys, airflow.sdk, airflow.plugins_manager; before = set(sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", before + LOAD],
        env={
            "PYTHONPATH": str(PROJECT_DIR / "plugins"),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__API__BASE_URL": base_url,
        },
        capture_output=True,
        check=True,
    )
    href, light = json.loads(answer.stdout.splitlines()[-1])
    assert href == f"{prefix}/segue/reports/{{DAG_ID}}/{{RUN_ID}}"
    assert light


def test_no_mongodb_no_report_but_a_sentence(plugin, monkeypatch):
    from airflow.api_fastapi.core_api import security
    from fastapi.testclient import TestClient

    monkeypatch.setattr(security, "requires_access_dag", lambda *_: lambda: None)
    away = {"conn_type": "mongo", "host": "127.0.0.1", "port": 1, "extra": {"serverSelectionTimeoutMS": 100}}
    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", json.dumps(away))
    answer = TestClient(plugin.make_app()).get("/reports/recommender/scheduled")
    assert answer.status_code == 503
    assert "MongoDB, where reports are kept, refuses" in answer.text
    assert "127.0.0.1" not in answer.text, "where it is, is for the log"
    assert answer.headers["Content-Security-Policy"] == plugin.POLICY


def test_there_is_no_way_around_the_login(plugin):
    from fastapi.testclient import TestClient

    client = TestClient(plugin.SegueReports().fastapi_apps[0]["app"])
    assert client.get("/reports/recommender/scheduled").status_code == 401
    assert {client.get(path).status_code for path in ("/docs", "/openapi.json", "/", "/reports")} == {404}
