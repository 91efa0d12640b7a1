from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from segue.demo.material import corpus_dir
from segue.demo.scores import GENRES, Score, tunes
from segue.settings import PROJECT_DIR


def test_every_genre_has_hundreds_of_scores_by_many_artists(scores: dict[str, list[Score]]) -> None:
    assert list(scores) == [genre.name for genre in GENRES]
    for group in scores.values():
        assert len(group) >= 400
        assert len({score.artist for score in group}) >= 15


def test_no_score_is_listed_twice(scores: dict[str, list[Score]]) -> None:
    places = Counter((score.path, score.tune) for group in scores.values() for score in group)
    assert max(places.values()) == 1


def test_a_tune_of_oneills_book_that_two_files_hold_is_listed_once(scores: dict[str, list[Score]]) -> None:
    folder = corpus_dir()
    numbers = [
        re.match(r"X:\s*0*(\d+)", tunes((folder / score.path).read_text(errors="replace"))[score.tune]).group(1)
        for group in scores.values()
        for score in group
        if score.path.startswith("oneills1850")
    ]
    assert len(numbers) == len(set(numbers))


def test_titles_and_artists_read_like_titles_and_artists(scores: dict[str, list[Score]]) -> None:
    for group in scores.values():
        for score in group:
            for text in (score.title, score.artist):
                assert text == text.strip()
                assert text
                assert "\n" not in text
                assert not re.fullmatch(r"[A-Z .']{6,}", text), "capitals of the encoders are not for readers"
            assert not re.search(r"\b[a-z]'[A-Z]", score.artist), "F.o'Neill is F. O'Neill"


@pytest.mark.parametrize(
    ("genre", "artist"),
    [
        ("Hornpipe", "Harry Carleton"),  # HARRY CARLETON., Harry Carleton
        ("Reel", "F. O'Neill"),  # F.O'Neill, F. O'Neill.
        ("Mass", "G. P. da Palestrina (Missa Papae Marcelli)"),
        ("Chorale", "J. S. Bach (four-part chorales, BWV 425-438)"),
        ("German Folk Song", "Traditional, Westfalen"),
        ("Chinese Folk Song", "Traditional, Sichuan"),
    ],
)
def test_artists_are_the_ones_that_the_files_name(scores: dict[str, list[Score]], genre: str, artist: str) -> None:
    assert artist in {score.artist for score in scores[genre]}


def test_palestrinas_licence_forbids_redistribution(scores: dict[str, list[Score]]) -> None:
    assert {"not for redistribution" in score.collection.licence for score in scores["Mass"]} == {True}


@pytest.mark.parametrize(
    ("there", "call", "message"),
    [
        ([], "corpus_dir()", "needs music21, which is not installed. Run: uv sync --extra embedded"),
        (["music21/__init__.py"], "corpus_dir()", "has no scores"),
        (["pretty_midi/__init__.py"], "soundfont()", "needs tinysoundfont, which is not installed. Run: uv sync"),
        (["tinysoundfont/__init__.py"], "soundfont()", "needs pretty_midi, which is not installed. Run: uv sync"),
        (
            ["tinysoundfont/__init__.py", "pretty_midi/__init__.py"],
            "soundfont()",
            "TimGM6mb.sf2 is missing. Run: ",
        ),
    ],
)
def test_missing_material_names_the_command_that_installs_it(
    tmp_path: Path, there: list[str], call: str, message: str
) -> None:
    for file in there:
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    code = f"""
from segue.demo.material import corpus_dir, soundfont
from segue.errors import PrerequisiteError
try:
    {call}
except PrerequisiteError as error:
    print(error)
"""
    # -S leaves out the installed packages.
    path = os.pathsep.join([str(PROJECT_DIR / "include"), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert message in done.stdout
