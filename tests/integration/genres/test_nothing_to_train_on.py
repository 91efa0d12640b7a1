"""The recommender's training, where there is nothing to learn from: one sentence each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import KafkaProducer

from segue.connections.kafka import Config
from segue.connections.topics import create_listens_topic
from segue.errors import TrainingError
from segue.listens.events import listen

pytestmark = pytest.mark.integration


def test_no_topic_no_listens_and_no_corpus_are_told_apart(
    job: Callable[[str], Callable[[], None]], kafka: Config, quiet_topic: str
) -> None:
    main = job("train_recommender")
    with pytest.raises(TrainingError, match=f"There is no Kafka topic '{quiet_topic}': `segue up` makes it"):
        main()
    create_listens_topic(kafka, quiet_topic)
    with pytest.raises(TrainingError, match=f"Neither the Kafka topic '{quiet_topic}' nor the lake holds listens"):
        main()
    with KafkaProducer(**kafka) as producer:
        producer.send(
            quiet_topic, listen("somebody", "of no corpus", 1_700_000_000).model_dump_json().encode(), b"somebody"
        )
    with pytest.raises(
        TrainingError, match=r"0 listener\(s\) to 0 track\(s\) of the corpus: .* at least two of each"
    ):
        main()
