from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import numpy as np
import pytest

from segue.demo import plan as planning
from segue.demo.plan import DAYS, FIRST_DAY
from segue.demo.scores import GENRES, Score
from segue.demo.synthesis import ENSEMBLES
from segue.errors import CorpusError

Scores = dict[str, list[Score]]


def test_the_same_seed_gives_the_same_plan_and_another_seed_another(scores: Scores) -> None:
    assert planning.draw(scores, 48, 1) == planning.draw(scores, 48, 1)
    assert planning.draw(scores, 48, 1) != planning.draw(scores, 48, 2)


@pytest.mark.parametrize(("pieces", "damaged"), [(24, 2), (60, 2), (240, 6), (2400, 60)])
def test_all_genres_are_there_in_equal_numbers_and_damaged_files_come_on_top(
    scores: Scores, pieces: int, damaged: int
) -> None:
    plan = planning.draw(scores, pieces, 2026)
    genres = Counter(piece.score.genre for piece in plan if piece.damage is None)
    assert sum(genres.values()) == pieces
    assert len(genres) == len(GENRES)
    assert min(genres.values()) >= pieces // len(GENRES) - max(1, damaged // 2)
    assert len(plan) == pieces + damaged


def test_240_pieces_hold_every_kind_of_damage_once(scores: Scores) -> None:
    kinds = Counter(piece.damage for piece in planning.draw(scores, 240, 2026) if piece.damage)
    assert kinds == dict.fromkeys(planning.DAMAGES, 1)


def test_thousands_of_pieces_are_all_of_different_scores_and_files(scores: Scores) -> None:
    plan = planning.draw(scores, 2400, 2026)
    assert len({(piece.score.path, piece.score.tune) for piece in plan}) == len(plan)
    assert len({piece.path for piece in plan}) == len(plan)


def test_every_one_of_thirty_days_in_a_row_gets_tracks(scores: Scores) -> None:
    days = {piece.created for piece in planning.draw(scores, 240, 2026)}
    assert days == {FIRST_DAY + timedelta(days=day) for day in range(DAYS)}


def test_each_genre_has_so_many_artists_that_a_split_by_artist_is_possible(scores: Scores) -> None:
    artists = defaultdict(Counter)
    for piece in planning.draw(scores, 240, 2026):
        artists[piece.score.genre][piece.score.artist] += 1
    for by_artist in artists.values():
        assert len(by_artist) >= 8
        assert max(by_artist.values()) <= 6


def test_a_performance_does_not_depend_on_what_is_played(scores: Scores) -> None:
    shifted = dict(zip(scores, [*list(scores.values())[1:], scores["Reel"]], strict=True))
    plan, other = planning.draw(scores, 240, 7), planning.draw(shifted, 240, 7)
    assert [piece.performance for piece in plan] == [piece.performance for piece in other]
    assert [piece.score.genre for piece in plan] != [piece.score.genre for piece in other]


def test_instruments_and_tempo_say_nothing_about_the_genre(scores: Scores) -> None:
    plan = planning.draw(scores, 2400, 2026)
    genres = {genre.name: [piece for piece in plan if piece.score.genre == genre.name] for genre in GENRES}
    counts = np.array(
        [
            [sum(piece.performance.ensemble == ensemble for piece in group) for ensemble in ENSEMBLES]
            for group in genres.values()
        ]
    )
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = (len(GENRES) - 1) * (len(ENSEMBLES) - 1)
    assert chi_square < freedom + 4 * np.sqrt(2 * freedom)

    tempi = [np.array([piece.performance.tempo for piece in group]) for group in genres.values()]
    mean, deviation = np.concatenate(tempi).mean(), np.concatenate(tempi).std()
    assert all(abs(tempo.mean() - mean) < 4 * deviation / np.sqrt(len(tempo)) for tempo in tempi)


def test_some_files_are_not_listed_and_some_have_no_genre_and_these_are_sound(scores: Scores) -> None:
    plan = planning.draw(scores, 24, 2026)
    odd = [piece for piece in plan if not (piece.listed and piece.labelled)]
    assert {(piece.listed, piece.labelled) for piece in odd} == {(False, True), (True, False)}
    assert all(piece.damage is None for piece in odd)


@pytest.mark.parametrize("pieces", [-1, 0, 23, 100_000])
def test_an_impossible_number_of_pieces_is_refused_with_the_range(scores: Scores, pieces: int) -> None:
    with pytest.raises(CorpusError, match=r"has 24 to \d{4} pieces, not"):
        planning.draw(scores, pieces, 2026)
