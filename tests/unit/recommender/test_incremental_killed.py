"""The short one of the series of kills that `benchmarks/retraining_killed.py` is: real broker, real registry."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaProducer
from scipy import sparse

from segue.connections import offsets as broker
from segue.connections import topics
from segue.connections.kafka import Config
from segue.connections.registry import Registry
from segue.connections.windows import OffsetWindow
from segue.recommender import gate, incremental
from segue.recommender.candidate import Candidate, Lineage
from segue.recommender.components.factors import Factors
from segue.recommender.incremental import IncrementalUpdate
from segue.recommender.interactions import Interactions
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.recipe import Audio
from segue.recommender.retraining import Start
from segue.settings import Settings

pytestmark = pytest.mark.integration
PARTITIONS, PAST, BATCH, KILLS = topics.LISTENS_PARTITIONS, 800, 40, 3
GROUP = "killed"


def material_up_to(ends: Mapping[int, int], plays: sparse.csr_matrix, model: Recommender) -> Material:
    """Read what the Spark job would: message i is the play i, and lies in partition i modulo four."""
    counts = plays.tocoo()
    order = np.random.default_rng(3).permutation(counts.nnz)
    at = np.arange(counts.nnz)
    offsets = np.column_stack([at % PARTITIONS, at // PARTITIONS])
    there = offsets[:, 1] < np.array([ends[partition] for partition in offsets[:, 0]])
    interactions = Interactions(
        counts.row[order][there].astype(np.int64),
        counts.col[order][there].astype(np.int64),
        counts.data[order][there],
        at[there].astype(np.float64),
        np.array([f"listener {i:03}" for i in range(plays.shape[0])]),
        np.asarray(model.catalogue.track_ids, dtype=str),
    )
    factors = model.blend.components["factors"]
    assert isinstance(factors, Factors)
    return Material(
        interactions, offsets[there], model.catalogue, Audio(factors.item_factors, model.catalogue.artists)
    )


def test_killed_at_random_moments_no_listen_is_skipped_or_used_twice(  # noqa: C901 - one story, told by its jobs
    plays: sparse.csr_matrix, model: Recommender, kafka: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "FEWEST", 10**6)  # the gate never refuses
    config, topic, sent = kafka, "retraining-killed", 0
    topics.create_listens_topic(config, topic)
    # The parent opens only a copy of the registry: what it had open its children would share.
    Registry(Settings(home=tmp_path / "copied", corpus="test"))
    shutil.copytree(tmp_path / "copied", tmp_path / "home")
    settings = Settings(home=tmp_path / "home", corpus="test")
    committed: list[OffsetWindow] = []

    def listen(count: int) -> None:
        nonlocal sent
        with KafkaProducer(**kafka) as producer:
            for number in range(sent, sent + count):
                producer.send(topic, b"play", partition=number % PARTITIONS)
        sent += count

    # What the jobs do, each in a process that can be killed.
    def train(window: OffsetWindow) -> None:
        known = material_up_to(window.ends, plays, model).interactions.matrix()
        first = incremental.fold_in_plays(model, known, known, audio)
        Candidate(first, Lineage(window.ends), "trained in full").promote(Registry(settings))

    def update(window: OffsetWindow) -> None:
        material, registry = material_up_to(window.ends, plays, model), Registry(settings)
        start = Start(registry, registry.champion(NAME), broker.whole_topic(config, topic), window)
        IncrementalUpdate(window).decide(None, start, material)  # type: ignore[arg-type]

    def look(window: OffsetWindow) -> None:
        champion = Registry(settings).champion(NAME)
        assert champion is not None
        assert Lineage.of(champion).learned == window.ends
        listeners = np.rint(np.expm1(Recommender.load(champion.folder()).popularity)).astype(int)
        learned = json.loads((champion.folder().parent / "report.json").read_text())["listens"]
        assert learned == sum(window.ends.values()) == sent
        heard = material_up_to(window.ends, plays, model).interactions.matrix()
        np.testing.assert_array_equal(listeners, np.diff(heard.tocsc().indptr))

    def run(job: Callable[[OffsetWindow], None], killed_after_s: float | None = None) -> float:
        window, began = broker.backlog(config, topic, GROUP), time.monotonic()
        process = multiprocessing.get_context("fork").Process(target=job, args=(window,))
        process.start()
        process.join(60 if killed_after_s is None else killed_after_s)
        if process.is_alive():
            process.kill()
            process.join()
            assert killed_after_s is not None, "it hangs"
        elif killed_after_s is None:
            assert process.exitcode == 0
            broker.commit(config, GROUP, window)
            committed.append(window)
        return time.monotonic() - began

    audio = material_up_to(dict.fromkeys(range(PARTITIONS), 1), plays, model).audio
    listen(PAST)
    run(train)
    listen(BATCH)
    usual_s = run(update)
    for share in random.Random(1).sample([0.3, 0.5, 0.7, 0.9, 1.0, 2.0], KILLS):  # the last ends, not committed
        listen(BATCH)
        run(update, killed_after_s=share * usual_s)
    listen(BATCH)
    run(update)
    whole = broker.whole_topic(config, topic)
    for partition, (first, end) in whole.spans.items():
        edges = [(first, first), *(window.spans[partition] for window in committed), (end, end)]
        assert all(before[1] == after[0] for before, after in pairwise(edges)), json.dumps(edges)
    monkeypatch.setattr(broker, "backlog", lambda *_: whole)
    run(look)
