from __future__ import annotations

import csv
import hashlib
import random
from collections import Counter
from pathlib import Path

import mutagen
import numpy as np
import pytest
from clips import FIRST_DAY, PER_DAY, REASONS, Recipe, make, path_of, write

from segue.audio.extract import Rejection, extract
from segue.demo.synthesis import SAMPLE_RATE, encode_mp3
from segue.errors import CorpusError

TRACKS = 520
SECONDS = 3


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the benchmark needs of a sample corpus."""
    folder = tmp_path_factory.mktemp("pieces")
    rng = random.Random(0)
    with (folder / "sources.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ("file", "genre", "quarters_per_minute", "damage"))
        table.writeheader()
        for number in range(16):
            noise = np.random.default_rng(number).standard_normal((4 * SAMPLE_RATE, 2)).astype(np.float32)
            (folder / f"{number}.mp3").write_bytes(encode_mp3(noise * 0.1))
            row = {"file": f"{number}.mp3", "genre": ("Reel", "Mass")[number % 2], "damage": ""}
            table.writerow(row | {"quarters_per_minute": rng.randint(60, 140)})
        table.writerow({"file": "gone.mp3", "genre": "Reel", "quarters_per_minute": 100, "damage": "empty"})
    return folder


@pytest.fixture(scope="module")
def corpus(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make(Recipe(sample, TRACKS, SECONDS), folder, lambda _: None)
    return folder


def test_no_two_clips_have_the_same_bytes(corpus: Path) -> None:
    paths = list(corpus.glob("*/*.mp3"))
    assert len(paths) == TRACKS
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == TRACKS


def test_one_in_a_hundred_is_rejected_for_the_reason_that_is_stated(sample: Path, corpus: Path) -> None:
    stated = make(Recipe(sample, TRACKS, SECONDS), corpus, lambda _: None)["rejected"]
    results = [extract(path) for path in sorted(corpus.glob("*/*.mp3"))[:600:10]]  # the damaged ones among them
    assert Counter(str(each.reason) for each in results if isinstance(each, Rejection)) == stated
    assert set(stated) == set(REASONS.values())


def test_tags_and_table_say_what_a_collection_says(corpus: Path) -> None:
    files = [mutagen.File(corpus / path_of(number), easy=True) for number in range(40)]
    genres = Counter(genre for file in files for genre in file.get("genre", []))
    assert set(genres) <= {"Fast Reel", "Slow Reel", "Fast Mass", "Slow Mass"}
    assert all(file["artist"] and file["date"] for file in files)
    with (corpus / "metadata.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["file"] for row in rows] == [path_of(number) for number in range(TRACKS)]
    assert rows[0]["date_created"] == rows[PER_DAY - 1]["date_created"] == FIRST_DAY.isoformat()


def test_the_same_recipe_gives_the_same_bytes(sample: Path, corpus: Path, tmp_path: Path) -> None:
    write(Recipe(sample, TRACKS, SECONDS), tmp_path, range(7, 12))
    for number in range(7, 12):
        assert (tmp_path / path_of(number)).read_bytes() == (corpus / path_of(number)).read_bytes()


def test_a_folder_of_something_else_is_left_alone(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"mine")
    with pytest.raises(CorpusError, match="has not made"):
        make(Recipe(sample, TRACKS, SECONDS), tmp_path, lambda _: None)


def test_a_corpus_of_another_recipe_is_left_alone(sample: Path, corpus: Path) -> None:
    with pytest.raises(CorpusError, match="another recipe"):
        make(Recipe(sample, TRACKS + 1, SECONDS), corpus, lambda _: None)


def test_a_disk_without_the_space_is_told_before_anything_is_written(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"need .* GB; the disk"):
        make(Recipe(sample, 10**12, SECONDS), tmp_path / "clips", lambda _: None)
