"""The steps of scripts/newcomer.sh, with a small project in place of Segue's: no stack starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from segue.settings import PROJECT_DIR

TRACK = {"rank": 1, "title": "Jóga", "artist": "Björk", "reason": "Popular with other listeners"}
MAKEFILE = """\
setup:
	@mkdir -p .venv/bin && cp segue python .venv/bin/
demo:
	@env >> $(NOTES) && echo "demo $(MUSIC) $(SIMULATE)" >> $(NOTES) && exit $(DEMO)
"""
SEGUE = """\
#!/bin/sh
echo "segue $*" >> "$NOTES"
[ "$1" = down ] || echo a-token
"""


class Answers(BaseHTTPRequestHandler):
    """The API, as far as the script asks it. The first request for stored recommendations finds none."""

    asked: list[str]
    sent: list[Any]

    def do_GET(self) -> None:
        stored = "/1/cf/recommendation/" in self.path
        self.asked.append(self.path)
        none_yet = stored and sum("/1/cf/" in path for path in self.asked) == 1
        self.send_response(204 if none_yet else 200)
        self.end_headers()
        if not none_yet:
            self.wfile.write(json.dumps({"items": [TRACK]}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.sent.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status":"ok"}')

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def api() -> Iterator[ThreadingHTTPServer]:
    Answers.asked, Answers.sent = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def newcomer(tmp_path: Path, api: ThreadingHTTPServer) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the script of a project that notes what is asked of it."""
    project, scratch, music = (tmp_path / name for name in ("project", "scratch", "my music"))
    for folder in (project / "scripts", scratch, music):
        folder.mkdir(parents=True)
    shutil.copy(PROJECT_DIR / "scripts" / "newcomer.sh", project / "scripts")
    (project / "Makefile").write_text(MAKEFILE)
    for name, text in {"segue": SEGUE, "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'}.items():
        (project / name).write_text(text)
        (project / name).chmod(0o755)
    git = ["git", "-C", str(project), "-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*git, *command], check=True)

    def run(demo: int = 0) -> subprocess.CompletedProcess[str]:
        own = {"NOTES": str(tmp_path / "notes"), "DEMO": str(demo), "TMPDIR": str(scratch)}
        own |= {"SEGUE_API_PORT": str(api.server_port), "SEGUE_CORPUS": "mine", "SEGUE_HOME": "/elsewhere"}
        own |= {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
        return subprocess.run(
            ["bash", str(project / "scripts" / "newcomer.sh"), "my music"],
            env=os.environ | own,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


def test_each_step_has_its_minutes_and_a_listen_is_sent_as_a_player_does(
    newcomer: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = newcomer()
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    steps = ["clone", "set up", "demo on the own library", "a player sends a listen", "recommendations follow"]
    table = lines[lines.index("") + 1 :] if "" in lines else lines
    assert [re.split(r" {2,}", line)[0] for line in table[-6:]] == [*steps, "from nothing to recommendations"]
    assert all(re.fullmatch(r".+ \d+\.\d min", line) for line in table[-6:])
    assert "1 Jóga - Björk - Popular with other listeners" in lines
    [(login, listen)] = Answers.sent
    assert login == "Token a-token"
    assert listen["payload"][0]["track_metadata"] == {"artist_name": "Björk", "track_name": "Jóga"}
    assert sum("/1/cf/" in path for path in Answers.asked) == 2, "it has waited for the recommendations"
    notes = (tmp_path / "notes").read_text().splitlines()
    assert f"demo {tmp_path / 'my music'} 1" in notes
    assert notes[-2:] == ["segue users add newcomer", "segue down"]
    assert not [line for line in notes if line.startswith(("SEGUE_CORPUS", "SEGUE_HOME"))]
    assert [line for line in notes if line.startswith("SEGUE_API_PORT")]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_demo_that_fails_ends_the_script_and_the_stack(
    newcomer: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = newcomer(demo=1)
    assert ran.returncode != 0
    assert "recommendations" not in ran.stdout
    assert (tmp_path / "notes").read_text().splitlines()[-1] == "segue down"
    assert list((tmp_path / "scratch").iterdir()) == []
