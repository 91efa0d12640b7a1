from __future__ import annotations

from segue.genres import predictions
from segue.settings import Settings


def test_tracks_are_published_without_labels_when_the_registry_is_away(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = Settings(home=tmp_path, mlflow_tracking_uri="http://127.0.0.1:9")
    told = predictions.predict_if_registry_available(None, None, away)
    assert told["labelled"] == 0
    assert told["labels"].startswith("not done: The registry of models cannot be reached at http://127.0.0.1:9")


def test_a_registry_that_goes_away_meanwhile_is_told_too(tmp_path, monkeypatch):
    from mlflow.exceptions import MlflowException

    def gone(*_):
        raise MlflowException("connection reset")

    monkeypatch.setattr(predictions.Registry, "champion", gone)
    assert (
        predictions.predict_if_registry_available(None, None, Settings(home=tmp_path))["labels"]
        == "not done: connection reset"
    )
