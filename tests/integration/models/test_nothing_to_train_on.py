"""The jobs that train, where there is nothing to learn from: one sentence each."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaProducer
from pymongo.database import Database

from segue import spark as spark_of_segue
from segue.errors import TrainingError
from segue.settings import PROJECT_DIR, Settings
from segue.streaming.broker import create_listens_topic
from segue.streaming.events import listen

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration


@pytest.fixture
def job(
    settings: Settings, spark: SparkSession, mongo: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Callable[[], None]]:
    """Return a function that gives a job's main; it runs in the tests' session, on an empty lake."""
    mongo.drop_collection("tracks")
    here = settings.model_copy(update={"listens_topic": "quiet", "lake": str(settings.home / "quiet-lake")})

    def main_of(name: str) -> Callable[[], None]:
        spec = importlib.util.spec_from_file_location(name, PROJECT_DIR / "spark_jobs" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(module, "get_settings", lambda: here)
        monkeypatch.setattr(spark_of_segue, "job", lambda _: nullcontext(spark))
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--run-id", "a/nothing"])
        main: Callable[[], None] = module.main
        return main

    return main_of


def test_without_tracks_there_are_no_genres(job: Callable[[str], Callable[[], None]]) -> None:
    with pytest.raises(TrainingError, match="No published track has a genre"):
        job("train_genre")()


def test_no_topic_no_listens_and_no_corpus_are_told_apart(
    job: Callable[[str], Callable[[], None]], kafka: str
) -> None:
    main = job("train_recommender")
    with pytest.raises(TrainingError, match="There is no Kafka topic 'quiet': `segue up` makes it"):
        main()
    create_listens_topic({"bootstrap_servers": kafka}, "quiet")
    with pytest.raises(TrainingError, match="Neither the Kafka topic 'quiet' nor the lake holds listens"):
        main()
    with KafkaProducer(bootstrap_servers=kafka) as producer:
        producer.send(
            "quiet", listen("somebody", "of no corpus", 1_700_000_000).model_dump_json().encode(), b"somebody"
        )
    with pytest.raises(
        TrainingError, match=r"0 listener\(s\) to 0 track\(s\) of the corpus: .* at least two of each"
    ):
        main()
