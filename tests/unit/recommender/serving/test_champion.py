"""A champion whose files come from a registry on another machine, over a connection that can break."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from segue.connections.model_version import Version
from segue.connections.registry import Registry
from segue.recommender.model import NAME, Recommender
from segue.recommender.serving.champion import NONE_YET, Champion
from segue.settings import Settings

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@contextmanager
def artifact_server(root: Path, broken: set[str]) -> Iterator[str]:
    """Serve a folder as MLflow's server does; break off in the middle of the files whose names are in `broken`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == ARTIFACTS:
                folder = root / parse_qs(asked.query)["path"][0]
                files = sorted(folder.iterdir()) if folder.is_dir() else []
                told = [{"path": each.name, "is_dir": False, "file_size": each.stat().st_size} for each in files]
                self.answer(json.dumps({"files": told}).encode())
            else:
                file = root / asked.path.removeprefix(f"{ARTIFACTS}/")
                self.answer(file.read_bytes(), broken=file.name in broken)

        def answer(self, body: bytes, *, broken: bool = False) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if broken else body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{ARTIFACTS}"
        server.shutdown()


def registry_with(location: str) -> Any:
    version = Version(NAME, 1, location, {}, {}, datetime.now(UTC))
    return SimpleNamespace(champion=lambda _: version)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files go into a folder of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_download_that_breaks_off_is_tried_again_and_leaves_no_files(
    model: Recommender, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "stored" / "model")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    broken = {"factors.npy"}
    champion = Champion(Settings(home=tmp_path))
    with artifact_server(tmp_path / "stored", broken) as address:
        registry = registry_with(f"{address}/model")
        assert not champion.look(registry)
        assert "recommender/1 cannot be fetched" in str(champion.error)
        broken.clear()
        assert not champion.look(registry), "a large model is not fetched every few seconds"
        champion._refused_until = 0.0  # a minute later
        assert champion.look(registry)
    assert champion.error is None
    assert list(temporary.iterdir()) == []
    assert champion.served is not None
    np.testing.assert_array_equal(champion.served.model.popularity, model.popularity)


def test_an_error_is_over_when_the_registry_answers_again_or_is_rolled_back(
    model: Recommender, tmp_path: Path
) -> None:
    registry = Registry(Settings(home=tmp_path, corpus="test"))
    champion = Champion(Settings(home=tmp_path))
    champion.error = "the registry does not answer"
    assert not champion.look(registry)
    assert champion.error == NONE_YET

    def register() -> Version:
        return registry.register(NAME, model.save, parameters={}, metrics={}, tags={}, report={})

    first, second = register(), register()
    registry.promote(first)
    assert champion.look(registry)
    (second.folder() / "factors.npy").write_bytes(b"damaged")
    registry.promote(second)
    assert not champion.look(registry)
    assert "damaged: factors.npy" in str(champion.error)
    registry.rollback(NAME)
    assert not champion.look(registry)
    assert champion.error is None
    assert champion.served is not None
    assert champion.served.version == str(first)


def test_a_registry_that_was_lost_and_counts_its_versions_anew_serves_the_new_first_one(
    model: Recommender, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        model.save(tmp_path / name)
    champion = Champion(Settings(home=tmp_path))
    assert champion.look(registry_with(str(tmp_path / "old")))
    before = champion.served
    assert not champion.look(SimpleNamespace(champion=lambda _: None))  # type: ignore[arg-type]
    assert champion.served is before
    assert "no recommender any more, so recommender/1 serves on" in (champion.error or "")
    assert champion.look(registry_with(str(tmp_path / "new")))
    assert champion.served is not before
    assert champion.error is None
