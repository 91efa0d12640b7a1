from __future__ import annotations

import pytest

from segue.corpus.genres import NO_GENRES, genres, top


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rock", ["Rock"]),
        ("rock; pop", ["Rock", "Pop"]),
        ("rock\\\\pop", ["Rock", "Pop"]),
        ("rock\\pop", ["Rock", "Pop"]),
        ("Rock • Pop · Jazz", ["Rock", "Pop", "Jazz"]),
        ("Rock|Pop", ["Rock", "Pop"]),
        ("Rock; rock; ROCK", ["Rock"]),
        ("pop, rock / jazz", ["Pop", "Rock", "Jazz"]),
        ("Hip-Hop/Rap", ["Hip-Hop"]),
        ("soul/R&B; Old-Time / Historic", ["Soul-RnB", "Old-Time / Historic"]),
        ("17", ["Rock"]),
        ("(17)", ["Rock"]),
        ("Jazz; 17", ["Jazz", "Rock"]),
        ("(17)Rock", ["Rock"]),
        ("(51)(39)", ["Techno-industrial", "Noise"]),
        ("80s", ["80s"]),
        ("1977", ["1977"]),
        ("Unknown Genre", []),
        ("Other; Jazz; 255; (12)", ["Jazz"]),
        ("/", []),
        ("汉族民歌", ["汉族民歌"]),
    ],
)
def test_a_text_lists_its_genres(text, expected):
    assert genres(text) == expected


@pytest.mark.parametrize("text", sorted(NO_GENRES))
def test_texts_that_name_no_genre(text):
    assert genres(text) == genres(text.title()) == []


def test_a_book_of_genres_is_cut():
    assert len(genres("; ".join(map(str, range(1_000, 2_000))))) == 20


def test_the_top_genre_is_that_of_the_whole_text_or_of_the_first_genre():
    tops = {"pop / rock": "Pop", "punk": "Rock", "hip-hop": "Hip-Hop"}
    assert [top(text, tops) for text in ("Pop / Rock", "PUNK; Jazz", "rap", "Jazz; Punk", "")] == [
        "Pop",
        "Rock",
        "Hip-Hop",
        None,
        None,
    ]
