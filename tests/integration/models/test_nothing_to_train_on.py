"""The job that trains the recommender, where there is nothing to learn from: one sentence each."""

from __future__ import annotations

import importlib.util
import sys
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


def test_no_topic_no_listens_and_no_corpus_are_told_apart(
    settings: Settings,
    spark: SparkSession,
    kafka: str,
    mongo: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All in one session of Spark."""
    assert mongo is not None
    here = settings.model_copy(update={"listens_topic": "quiet", "lake": str(settings.home / "quiet-lake")})
    spec = importlib.util.spec_from_file_location("train_job", PROJECT_DIR / "spark_jobs" / "train_recommender.py")
    assert spec is not None
    assert spec.loader is not None
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    monkeypatch.setattr(job, "get_settings", lambda: here)
    monkeypatch.setattr(spark_of_segue, "job", lambda _: nullcontext(spark))
    monkeypatch.setattr(sys, "argv", ["train_recommender.py", "--run-id", "recommender/nothing"])

    with pytest.raises(TrainingError, match="There is no Kafka topic 'quiet': `segue up` makes it"):
        job.main()
    create_listens_topic({"bootstrap_servers": kafka}, "quiet")
    with pytest.raises(TrainingError, match="Neither the Kafka topic 'quiet' nor the lake holds listens"):
        job.main()
    with KafkaProducer(bootstrap_servers=kafka) as producer:
        producer.send(
            "quiet", listen("somebody", "of no corpus", 1_700_000_000).model_dump_json().encode(), b"somebody"
        )
    with pytest.raises(
        TrainingError, match=r"0 listener\(s\) to 0 track\(s\) of the corpus: .* at least two of each"
    ):
        job.main()
