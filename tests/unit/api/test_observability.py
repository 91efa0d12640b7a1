from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from segue.api.observability import RequestObserver, access_log, log_to_stdout


def test_the_access_log_is_one_json_object_a_request_without_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI()
    app.add_middleware(RequestObserver)
    for name in ("handlers", "level", "propagate"):
        monkeypatch.setattr(access_log, name, getattr(access_log, name))
    log_to_stdout()
    headers = {"Authorization": "Token in-a-header"}
    TestClient(app).get("/1/validate-token", params={"token": "in-a-query"}, headers=headers)
    [line] = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/1/validate-token", 404)
    assert "in-a" not in line
