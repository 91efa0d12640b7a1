from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from datetime import date
from types import SimpleNamespace

import pytest

from segue.settings import PROJECT_DIR

LOAD = """
import json, sys
import segue_reports
light = not {"fastapi", "jinja2", "pyarrow"} & (set(sys.modules) - before)
print(json.dumps([[view["href"] for view in segue_reports.SegueReports().external_views], light]))
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
    hrefs, light = json.loads(answer.stdout.splitlines()[-1])
    assert hrefs == [
        f"{prefix}/segue/reports/{{DAG_ID}}/{{RUN_ID}}",
        f"{prefix}/segue/?shown=navigation",
        f"{prefix}/segue/?shown=tab",
    ]
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
    guarded = ("/", "/rejects", "/api/rejects", "/audio/1", "/reports/recommender/scheduled")
    assert {client.get(path).status_code for path in guarded} == {401}
    assert {client.get(path).status_code for path in ("/docs", "/openapi.json", "/reports")} == {404}


def test_a_browser_without_login_is_led_to_it_and_back(plugin):
    from fastapi.testclient import TestClient

    client = TestClient(plugin.make_app(), root_path="/segue", follow_redirects=False)
    answer = client.get("/rejects?reason=EMPTY", headers={"Accept": "text/html"})
    assert answer.status_code == 307
    assert answer.headers["location"] == "/api/v2/auth/login?next=%2Fsegue%2Frejects%3Freason%3DEMPTY"


def test_rejected_files_are_served_as_a_page_and_as_json(plugin, monkeypatch, tmp_path):
    import pyarrow as pa
    from airflow.api_fastapi.core_api import security
    from deltalake import write_deltalake
    from fastapi.testclient import TestClient

    from segue.settings import get_settings

    rows = {
        "path": ["<b>.mp3"],
        "partition_date": [date(2026, 1, 2)],
        "reason": ["EMPTY"],
        "message": ["No bytes."],
    }
    write_deltalake(f"{tmp_path}/rejects", pa.table(rows | {"size_bytes": [0]}))
    monkeypatch.setattr(security, "requires_access_dag", lambda *_: lambda: None)
    monkeypatch.setenv("SEGUE_LAKE", str(tmp_path))
    get_settings.cache_clear()
    client = TestClient(plugin.make_app())
    get_settings.cache_clear()
    page = client.get("/rejects?reason=EMPTY&day=2026-01-02")
    assert "1 file with the reason EMPTY of 2026-01-02 was rejected." in page.text
    assert "&lt;b&gt;.mp3" in page.text
    assert page.headers["Content-Security-Policy"] == plugin.POLICY
    assert client.get("/api/rejects").json() == {
        "files": [
            {
                "path": "<b>.mp3",
                "day": "2026-01-02",
                "reason": "EMPTY",
                "message": "No bytes.",
                "size_bytes": 0,
                "remedy": "Fetch it again.",
            }
        ],
        "total": 1,
    }
    assert client.get("/api/rejects?reason=TYPO").status_code == 400
    assert "is no reason code" in client.get("/rejects?reason=TYPO").text


def test_the_overview_links_the_api_on_the_same_host_and_nothing_in_a_frame(plugin, monkeypatch):
    from airflow.api_fastapi.core_api import security
    from fastapi.testclient import TestClient
    from tests.support import overview_state

    import segue_overview
    from segue.overview.state import Cached

    monkeypatch.setattr(security, "requires_access_dag", lambda *_: lambda: None)
    monkeypatch.setattr(segue_overview, "schedule", lambda _: overview_state.schedule())
    monkeypatch.setattr(Cached, "get", lambda _: overview_state.state())
    client = TestClient(plugin.make_app())
    page = client.get("/", headers={"Host": "music.local:18080"})
    assert page.headers["Content-Security-Policy"] == plugin.POLICY
    assert 'href="http://music.local:18100/docs"' in page.text
    assert 'href="/dags/corpus"' in page.text
    assert 'href="/dags/corpus"' not in client.get("/?shown=tab").text
    assert 'href="/dags/corpus"' in client.get("/?shown=elsewhere").text


def test_the_audio_of_a_track_is_played_or_a_page_says_why_not(plugin, monkeypatch, tmp_path):
    from airflow.api_fastapi.core_api import security
    from fastapi.testclient import TestClient

    import segue_overview
    from segue.settings import get_settings

    (tmp_path / "a.mp3").write_bytes(b"ID3 and more")
    paths = {"1": "a.mp3", "2": "gone.mp3", "3": "../../etc/passwd"}
    tracks = SimpleNamespace(find_one=lambda key, _: (path := paths.get(key["_id"])) and {"path": path})
    monkeypatch.setattr(segue_overview, "mongo_database", lambda: nullcontext({"tracks": tracks}))
    monkeypatch.setattr(security, "requires_access_dag", lambda *_: lambda: None)
    monkeypatch.setenv("SEGUE_MUSIC", str(tmp_path))
    get_settings.cache_clear()
    client = TestClient(plugin.make_app())
    get_settings.cache_clear()
    heard = client.get("/audio/1")
    assert (heard.content, heard.headers["content-type"]) == (b"ID3 and more", "audio/mpeg")
    for track_id, said in {
        "2": "is not in the music folder",
        "3": "is not in the",
        "4": "Cannot find track",
    }.items():
        answer = client.get(f"/audio/{track_id}")
        assert answer.status_code == 404
        assert said in answer.text
