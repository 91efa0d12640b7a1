"""What a choice is validated on: every track to learn from, in folds without a common artist, or one part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.genres import dataset, validation
from segue.genres.validation import FOLDS, assign_folds, plan_validation, sample_shares


def test_small_tables_are_cross_validated_without_an_artist_on_both_sides(data):
    plan = plan_validation(data, seed=0)
    learned = {row.track_id for row in data.part("train", "validation").collect()}
    tested = []
    for train, validated in [fold for rung in plan.rungs for fold in rung]:
        fitted, held_out = train.collect(), validated.collect()
        assert not {row.artist for row in fitted} & {row.artist for row in held_out}
        assert {row.genre for row in fitted} == {row.genre for row in held_out} == {"jig", "reel"}
        tested += [row.track_id for row in held_out]
    assert plan.pooled
    assert [len(rung) for rung in plan.rungs] == [FOLDS // 2, FOLDS // 2]
    assert sorted(tested) == sorted(learned), "every track to learn from once, no test track"


def test_genres_that_are_split_by_track_are_so_in_the_folds(corpus):
    one_artist = corpus().selectExpr("track_id", "'one' AS artist", "genre", "features", "flags", "split")
    data = dataset.prepare_dataset(one_artist, {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]})
    assert set(data.split_by_track) == {"jig", "reel"}
    assert set(assign_folds(data, seed=0).values()) == set(range(FOLDS))


def test_large_tables_have_one_validation_part(data, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validation, "MAX_CROSS_VALIDATED_TRACKS", 50)
    plan = plan_validation(data, seed=0)
    (((train, validated),),) = plan.rungs
    assert not plan.pooled
    assert {row.part for row in train.collect()} == {"train"}
    assert {row.part for row in validated.collect()} == {"validation"}


def test_a_genre_of_two_tracks_to_learn_from_cannot_be_cross_validated(data):
    learned = data.tracks.where("part != 'test'")
    few = learned.where("genre = 'jig'").limit(2).union(learned.where("genre = 'reel'"))
    assert assign_folds(replace(data, tracks=few), seed=0) == {}


def test_only_large_tables_are_tried_on_samples_first():
    assert sample_shares(1_500) == [1.0]
    assert sample_shares(8_000) == [0.25, 1.0]
    assert sample_shares(60_000) == [0.0625, 0.25, 1.0]
