"""The script asks a database of vulnerabilities that answers as osv.dev does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from segue.settings import PROJECT_DIR

ID = "PYSEC-2026-1"


class Database(BaseHTTPRequestHandler):
    vulnerable: str | None = None

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        hit = {"vulns": [{"id": ID, "modified": "2026-01-01T00:00:00Z"}]}
        self.answer({"results": [hit if each["package"]["name"] == self.vulnerable else {} for each in asked]})

    def do_GET(self) -> None:
        self.answer({"id": ID, "modified": "2026-01-01T00:00:00Z", "summary": "Reads too much", "affected": []})

    def answer(self, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    uv = shutil.which("uv") or PROJECT_DIR / ".uv" / "bin" / "uv"
    if subprocess.run([uv, "audit", "--help"], capture_output=True, check=False).returncode:
        pytest.skip("this version of uv cannot audit")
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def run(vulnerable: str | None, port: int = server.server_port) -> subprocess.CompletedProcess[str]:
            monkeypatch.setattr(Database, "vulnerable", vulnerable)
            command = [PROJECT_DIR / "scripts" / "audit.sh", "--service-url", f"http://127.0.0.1:{port}"]
            direct = os.environ | {"NO_PROXY": "127.0.0.1"}
            return subprocess.run(command, env=direct, capture_output=True, text=True, check=False)

        yield run
        server.shutdown()


def test_packages_without_a_known_vulnerability_pass(audit):
    answer = audit(None)
    assert (answer.returncode, answer.stdout) == (0, "No package of uv.lock has a known vulnerability.\n")


def test_a_vulnerable_package_is_named(audit):
    answer = audit("pyspark")
    assert answer.returncode == 1
    assert ID in answer.stdout
    assert "pyspark" in answer.stdout


def test_without_the_database_there_is_one_sentence(audit, free_ports):
    answer = audit(None, *free_ports(1))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("The packages were not looked up in the database of known vulnerabilities: ")
    assert answer.stderr.count("\n") == 1
