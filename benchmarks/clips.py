"""A corpus of any size: MP3 clips spliced from the sample corpus, with tags, a table of days, and damaged files.

- Each clip joins the beginnings of three pieces of one genre, all slower or all faster than the genre's median.
  That makes 16 genres, such as ``Slow Reel``. Every title is unique, so no two files have the same bytes.
- Artists and genres have long tails: an artist's share of the clips, and a genre's share of the artists, follow
  Zipf's law. An artist has one genre. One clip in twenty has no genre tag.
- Names are in the tags, as in a collection. ``metadata.csv`` has what tags do not: track id and day of entry, 35
  clips a day, as in FMA.
- One file in a hundred is damaged. The kinds of damage in `REASONS` take turns.

The same arguments produce the same bytes. Clip number 5 is the same in a corpus of any size, if the number of
artists is the same.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, lru_cache, partial
from itertools import accumulate
from pathlib import Path
from statistics import fmean, median
from typing import Any

from mutagen.easyid3 import EasyID3
from splicing import SAMPLES_PER_FRAME, Piece, read_piece, splice

from segue.demo.damage import DAMAGES
from segue.demo.workers import run_in_processes
from segue.errors import CorpusError

VERSION = 1  # increase it if the same arguments no longer make the same files
MANIFEST = "clips.json"
FIRST_DAY = date(2008, 11, 26)
PER_DAY = 35
PER_FOLDER = 1_000
PER_JOB = 500
PER_ARTIST = 6.5
ZIPF_ARTISTS, ZIPF_GENRES = 0.8, 1.0
UNLABELLED = 0.05
DAMAGED = 50  # which clip of each hundred is damaged
SPLICED = 3
SHORT_S = 0.5

REASONS = {
    "empty": "EMPTY",
    "noise": "UNREADABLE",
    "truncated": "TRUNCATED",
    "silence": "SILENT",
    "short": "TOO_SHORT",
}
"""For each kind of damage, the code with which Segue should reject the file."""


@dataclass(frozen=True)
class Recipe:
    """The parameters of a corpus.

    Parameters
    ----------
    pieces : Path
        Folder of a sample corpus, see `segue.demo.sample.render`.
    tracks : int
        Number of files, damaged ones included.
    seconds : float
        Length of a clip.
    seed : int
        Seed of every random choice.
    """

    pieces: Path
    tracks: int
    seconds: float
    seed: int = 2026

    @cached_property
    def pools(self) -> dict[str, list[Piece]]:
        """The pieces from which a clip of each genre may be made."""
        with (self.pieces / "sources.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if not row["damage"]]
        tempos = {
            genre: median(float(row["quarters_per_minute"]) for row in rows if row["genre"] == genre)
            for genre in {row["genre"] for row in rows}
        }
        pools: dict[str, list[Piece]] = {}
        for row in rows:
            pace = "Fast" if float(row["quarters_per_minute"]) > tempos[row["genre"]] else "Slow"
            piece = read_piece((self.pieces / row["file"]).read_bytes())
            pools.setdefault(f"{pace} {row['genre']}", []).append(piece)
        return dict(sorted(pools.items()))

    @cached_property
    def genre_of_artist(self) -> list[str]:
        """The genre of each artist; the first artists have the most clips."""
        rng = random.Random(f"{self.seed}/artists")
        genres = list(self.pools)
        rng.shuffle(genres)
        return rng.choices(genres, _zipf(len(genres), ZIPF_GENRES), k=max(20, round(self.tracks / PER_ARTIST)))

    @cached_property
    def artist_weights(self) -> list[float]:
        """Cumulative shares of the clips by artist."""
        return list(accumulate(_zipf(len(self.genre_of_artist), ZIPF_ARTISTS)))

    @cached_property
    def silence(self) -> bytes:
        """A silent MP3."""
        return DAMAGES["silence"].apply(b"", random.Random(0))

    def frames(self, seconds: float) -> int:
        """Length of a clip in frames."""
        rate = next(iter(self.pools.values()))[0].rate
        return int(seconds * rate / SAMPLES_PER_FRAME)

    def clip_bytes(self) -> float:
        """Mean size of a clip in bytes."""
        frames = self.frames(self.seconds)
        return fmean(len(p.data) / len(p.ends) * frames for pool in self.pools.values() for p in pool) + 500

    def damage(self, number: int) -> str | None:
        """Return how a clip is damaged; None if it is not."""
        in_hundred, hundreds = number % 100, number // 100
        return list(REASONS)[hundreds % len(REASONS)] if in_hundred == DAMAGED else None

    def clip(self, number: int) -> bytes:
        """Make a clip."""
        rng = random.Random(f"{self.seed}/{number}")
        damage = self.damage(number)
        [artist] = rng.choices(range(len(self.genre_of_artist)), cum_weights=self.artist_weights)
        genre = self.genre_of_artist[artist]
        if damage == "silence":
            mp3 = self.silence
        else:
            frames = self.frames(SHORT_S if damage == "short" else self.seconds)
            pool = self.pools[genre]
            mp3 = splice(rng.sample(pool, k=min(SPLICED, len(pool))), frames, rng)
        tags = EasyID3()  # type: ignore[no-untyped-call]
        tags["title"] = f"Clip {number:,}"
        tags["artist"] = f"Artist {artist + 1:,}"
        tags["date"] = str(rng.randint(1960, 2024))
        if rng.random() >= UNLABELLED:
            tags["genre"] = genre
        buffer = io.BytesIO(mp3)
        tags.save(buffer, padding=lambda _: 0)
        whole = buffer.getvalue()
        return DAMAGES[damage].apply(whole, rng) if damage in DAMAGES and damage != "silence" else whole


def make(recipe: Recipe, folder: Path, progress: Callable[[int], None]) -> dict[str, Any]:
    """Write a corpus or complete it. Do nothing if it is complete.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        Folder of the music. A folder with files of another recipe is refused.
    progress : callable
        Called with the number of clips that exist.

    Returns
    -------
    dict
        ``tracks``, ``bytes`` and ``rejected``: how many files are damaged, by the reason of their rejection.

    Raises
    ------
    CorpusError
        If the folder has other files, or the disk lacks space.
    """
    stated = {"version": VERSION, "tracks": recipe.tracks, "seconds": recipe.seconds, "seed": recipe.seed}
    manifest = folder / MANIFEST
    made = json.loads(manifest.read_text()) if manifest.exists() else None
    if made is None and folder.exists() and any(folder.iterdir()):
        raise CorpusError(f"{folder} holds files that this benchmark has not made. Choose an empty folder.")
    if made and made["recipe"] != stated:
        raise CorpusError(f"{folder} holds clips of another recipe, {made['recipe']}. Choose another folder.")
    if made and made["complete"]:
        return dict(made)
    folder.mkdir(parents=True, exist_ok=True)
    need, free = recipe.tracks * recipe.clip_bytes() * 1.02, shutil.disk_usage(folder).free
    if not made and need > free:
        raise CorpusError(
            f"{recipe.tracks:,} clips of {recipe.seconds:g} s need {need / 1e9:.1f} GB; the disk of {folder} has "
            f"{free / 1e9:.1f} GB left. Free some space, or choose another folder."
        )
    manifest.write_text(json.dumps({"recipe": stated, "complete": False}))
    jobs = [range(at, min(at + PER_JOB, recipe.tracks)) for at in range(0, recipe.tracks, PER_JOB)]
    size = done = 0
    # Jobs get a copy that has not loaded the pieces, so that they are not pickled.
    for count, written in run_in_processes(partial(write, replace(recipe), folder), jobs):
        size, done = size + written, done + count
        progress(done)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("track_id", "file", "date_created"))
        table.writerows((n, path_of(n), FIRST_DAY + timedelta(days=n // PER_DAY)) for n in range(recipe.tracks))
    rejected = Counter(REASONS[damage] for damage in map(recipe.damage, range(recipe.tracks)) if damage)
    made = {"recipe": stated, "complete": True, "tracks": recipe.tracks, "bytes": size, "rejected": rejected}
    manifest.write_text(json.dumps(made))
    return made


def write(recipe: Recipe, folder: Path, numbers: Sequence[int]) -> tuple[int, int]:
    """Write some clips; return their number and their total size in bytes."""
    recipe, size = _loaded(recipe), 0
    for number in numbers:
        path = folder / path_of(number)
        path.parent.mkdir(exist_ok=True)
        size += path.write_bytes(recipe.clip(number))
    return len(numbers), size


@lru_cache(maxsize=1)
def _loaded(recipe: Recipe) -> Recipe:
    """Load the pieces once per process."""
    return recipe


def path_of(number: int) -> str:
    """Return the path of a clip in its folder."""
    return f"{number // PER_FOLDER:03}/{number:06}.mp3"


def _zipf(count: int, exponent: float) -> list[float]:
    return [1 / rank**exponent for rank in range(1, count + 1)]
