from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from segue.demo.listeners import Audience, CorpusTrack
from segue.errors import TrainingError
from segue.models.recommender import (
    Hyperparameters,
    Ranker,
    evaluate,
    fit,
    play_counts,
    split_by_time,
)

LISTENS = "user_name string, track_id string, listened_at long"


@pytest.fixture
def listens(spark):
    def create(rows):
        return spark.createDataFrame(rows, LISTENS)

    return create


@pytest.fixture
def ranker(spark):
    listeners = spark.createDataFrame(
        [("ann", [1.0, 0.0]), ("bob", [0.0, 1.0])], "user_name string, factors array<float>"
    )
    return Ranker(listeners, ["a", "b", "c", "d"], np.array([[4, 1], [3, 2], [2, 3], [1, 4]], dtype=np.float32))


def by_name(lists):
    return {row.user_name: (row.track_ids, row.scores) for row in lists.collect()}


def test_plays_are_counted_by_listener_and_track(listens):
    counts = play_counts(listens([("ann", "a", 1), ("ann", "a", 2), ("bob", "a", 3)]))
    assert {tuple(row) for row in counts.collect()} == {("ann", "a", 2), ("bob", "a", 1)}


def test_one_moment_divides_all_listeners(listens):
    rows = [(f"user {i % 7}", "a", 100 + i) for i in range(50)]
    earlier, later, cutoff = split_by_time(listens(rows), later_share=0.2)
    times = [[row.listened_at for row in part.collect()] for part in (earlier, later)]
    assert max(times[0]) < cutoff.timestamp() <= min(times[1])
    assert [len(part) for part in times] == [40, 10]


@pytest.mark.parametrize("rows", [[], [("ann", "a", 5), ("bob", "b", 5)]])
def test_listens_of_one_moment_cannot_be_divided(listens, rows):
    with pytest.raises(TrainingError, match="do not differ in time"):
        split_by_time(listens(rows), later_share=0.2)


@pytest.mark.parametrize("rows", [[("ann", "a", 1), ("ann", "b", 2)], [("ann", "a", 1), ("bob", "a", 2)]])
def test_one_listener_or_one_track_is_too_little(listens, rows):
    with pytest.raises(TrainingError, match="at least two of each"):
        fit(play_counts(listens(rows)), Hyperparameters())


def test_the_best_come_first_without_what_was_played(ranker, listens):
    found = by_name(ranker.top(play_counts(listens([("ann", "a", 1), ("bob", "c", 1)])), k=2))
    assert found == {"ann": (["b", "c"], [3, 2]), "bob": (["d", "b"], [4, 2])}


def test_a_listener_without_plays_and_an_unknown_track_do_no_harm(ranker, listens):
    found = by_name(ranker.top(play_counts(listens([("ann", "never seen", 1)])), k=4))
    assert found["ann"][0] == ["a", "b", "c", "d"]
    assert found["bob"][0] == ["d", "c", "b", "a"]


def test_who_has_played_everything_gets_nothing(ranker, listens):
    rows = [("ann", track, 1) for track in "abcd"]
    assert by_name(ranker.top(play_counts(listens(rows))))["ann"] == ([], [])


def test_popularity_ranks_by_plays_for_everybody(listens):
    counts = play_counts(
        listens([("ann", "a", 1), ("bob", "b", 1), ("bob", "b", 2), ("cat", "c", 1), ("cat", "b", 1)])
    )
    found = by_name(Ranker.by_popularity(counts).top(counts))
    assert found["ann"][0][0] == "b"
    assert "b" not in found["bob"][0]


def test_factors_score_as_mllib_does(listens):
    rows = [(f"user {i % 5}", f"track {i * i % 11}", i) for i in range(60)]
    counts = play_counts(listens(rows))
    model = fit(counts, Hyperparameters(rank=4, iterations=3))
    nothing_played = counts.where("false")
    found = by_name(Ranker.of(model).top(nothing_played, k=100))
    indexer, als = model.stages
    users, tracks = indexer.labelsArray
    for row in als.recommendForAllUsers(3).collect():
        scores = dict(zip(*found[users[row.user]], strict=True))
        assert len(scores) == len(tracks)
        for item in row.recommendations:
            assert scores[tracks[item.item]] == pytest.approx(item.rating, abs=1e-5)


def test_only_tracks_played_for_the_first_time_count(ranker, listens):
    before = play_counts(listens([("ann", "a", 1), ("bob", "d", 1)]))
    again = listens([("ann", "a", 9)])
    assert evaluate(ranker, before, again).listeners == 0
    new = listens([("ann", "a", 9), ("ann", "b", 9), ("stranger", "c", 9)])
    assert evaluate(ranker, before, new) == evaluate(ranker, before, listens([("ann", "b", 9)]))
    assert evaluate(ranker, before, new).ndcg == pytest.approx(1)


def test_judging_can_be_limited_to_some_listeners(spark, ranker, listens):
    before, later = play_counts(listens([("ann", "a", 1)])), listens([("ann", "b", 9), ("bob", "a", 9)])
    only_bob = spark.createDataFrame([("bob",)], "user_name string")
    assert evaluate(ranker, before, later).listeners == 2
    assert evaluate(ranker, before, later, among=only_bob).listeners == 1


def test_als_beats_popularity_on_simulated_listeners(listens):
    random = np.random.default_rng(0)
    centres = random.normal(size=(6, 20))
    tracks = [
        CorpusTrack(f"t{i:03}", f"Piece {i}", f"genre {i % 6}", (centres[i % 6] + random.normal(size=20)).tolist())
        for i in range(240)
    ]
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    events = Audience(tracks, listeners=60, seed=3).play(events=4000, start=start, end=end)
    earlier, later, _ = split_by_time(
        listens([(event.user_name, event.track_id, event.listened_at) for event in events]), later_share=0.2
    )
    counts = play_counts(earlier).cache()
    als = evaluate(Ranker.of(fit(counts, Hyperparameters())), counts, later)
    popularity = evaluate(Ranker.by_popularity(counts), counts, later)
    assert als.listeners == popularity.listeners > 40
    assert als.ndcg > 1.2 * popularity.ndcg
    assert als.coverage > popularity.coverage
