from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from segue.api.observability import (
    LOGGED_PATH_CHARACTERS,
    RequestObserver,
    access_log,
    write_access_log,
)


def test_the_access_log_is_one_json_object_a_request_without_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI()
    app.add_middleware(RequestObserver)
    for name in ("handlers", "level", "propagate"):
        monkeypatch.setattr(access_log, name, getattr(access_log, name))
    write_access_log(logging.StreamHandler(sys.stdout))
    headers = {"Authorization": "Token in-a-header"}
    TestClient(app).get("/1/validate-token", params={"token": "in-a-query"}, headers=headers)
    [line] = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/1/validate-token", 404)
    assert "in-a" not in line
    TestClient(app).get("/" + "x" * 60_000)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["path"] == "/" + "x" * (LOGGED_PATH_CHARACTERS - 1)


WRITER = """
import logging, sys
from pathlib import Path
from segue.api.observability import access_log, rotating_output, write_access_log
write_access_log(rotating_output(Path(sys.argv[1]), 10_000))
for number in range(1_000):
    access_log.info("line %d %s", number, "x" * 100)
print("printed at the end", flush=True)
"""


def test_the_access_log_rotates_while_the_process_runs_and_takes_the_output_along(tmp_path: Path) -> None:
    log = tmp_path / "listens-api.log"
    with log.open("ab") as output:
        subprocess.run([sys.executable, "-c", WRITER, str(log)], stdout=output, stderr=output, check=True)
    old = log.with_suffix(".old.log")
    assert {path.name for path in tmp_path.iterdir()} == {log.name, old.name}
    assert max(log.stat().st_size, old.stat().st_size) <= 10_000
    lines = old.read_text().splitlines() + log.read_text().splitlines()
    assert lines[-1] == "printed at the end"
    assert [int(line.split()[1]) for line in lines[:-1]] == list(range(1_000 - len(lines) + 1, 1_000))
