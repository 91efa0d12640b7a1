"""What a choice is validated on: every track to learn from, in folds without a common artist, or one part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.genres import labelled, validation
from segue.genres.validation import FOLDS, assign_folds, plan, shares


def test_small_tables_are_cross_validated_without_an_artist_on_both_sides(data):
    planned = plan(data, seed=0)
    learned = {row.track_id for row in data.part("train", "validation").collect()}
    tested = []
    for train, validated in [fold for rung in planned.rungs for fold in rung]:
        fitted, held_out = train.collect(), validated.collect()
        assert not {row.artist for row in fitted} & {row.artist for row in held_out}
        assert {row.genre for row in fitted} == {row.genre for row in held_out} == {"jig", "reel"}
        tested += [row.track_id for row in held_out]
    assert planned.joined
    assert [len(rung) for rung in planned.rungs] == [FOLDS // 2, FOLDS // 2]
    assert sorted(tested) == sorted(learned), "every track to learn from once, no test track"


def test_genres_that_are_split_by_track_are_so_in_the_folds(corpus):
    one_artist = corpus().selectExpr("track_id", "'one' AS artist", "genre", "features", "flags", "split")
    data = labelled.label(one_artist, {"mfcc": [0, 1, 2], "tonnetz": [3, 4, 5]})
    assert set(data.split_by_track) == {"jig", "reel"}
    assert set(assign_folds(data, seed=0).values()) == set(range(FOLDS))


def test_large_tables_have_one_validation_part(data, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validation, "CROSS_VALIDATED", 50)
    planned = plan(data, seed=0)
    (((train, validated),),) = planned.rungs
    assert not planned.joined
    assert {row.part for row in train.collect()} == {"train"}
    assert {row.part for row in validated.collect()} == {"validation"}


def test_a_genre_of_two_tracks_to_learn_from_cannot_be_cross_validated(data):
    learned = data.tracks.where("part != 'test'")
    few = learned.where("genre = 'jig'").limit(2).union(learned.where("genre = 'reel'"))
    assert assign_folds(replace(data, tracks=few), seed=0) == {}


def test_only_large_tables_are_tried_on_samples_first():
    assert shares(1_500) == [1.0]
    assert shares(8_000) == [0.25, 1.0]
    assert shares(60_000) == [0.0625, 0.25, 1.0]
