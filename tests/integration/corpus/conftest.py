"""A small corpus with everything that a real one has, and its pipeline up to MongoDB."""

from __future__ import annotations

import csv
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile

from segue import locks
from segue.corpus import extraction, integrate, inventory, publish
from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
from segue.corpus.metadata import Metadata
from segue.corpus.plan import Mode
from segue.corpus.reports import (
    CleaningReport,
    Comparison,
    CorpusReports,
    ExtractReport,
    InventoryReport,
    Published,
    PublishReport,
)
from segue.corpus.sources.table import MetadataTable
from segue.settings import get_settings
from segue.tracks.collection import prepare

SEEN_ON = date(2026, 3, 5)
RECORDING = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
"""Recording id of the first tune."""

HEADER = ["track_id", "file", "title", "artist", "type", "duration", "genre", "language", "date_created"]


def sound(path: Path, seed: int, **tags: str) -> None:
    """Write two seconds of a tone in noise, with tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    seconds = np.arange(2 * 22_050) / 22_050
    tone = 0.3 * np.sin(2 * np.pi * 110 * (1 + seed) * seconds) + 0.02 * rng.normal(size=seconds.size)
    soundfile.write(path, tone.astype(np.float32), 22_050)
    if tags:
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file.update({name: [value] for name, value in tags.items()})
        file.save()


MUSIC = "my músic [1]"


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is the same for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def original(of_all_workers: Path) -> Path:
    """Return the music, which the first worker writes."""
    folder = of_all_workers / "original"
    with locks.exclusive(of_all_workers / "original.lock"):
        if not folder.exists():
            written = Path(mkdtemp(dir=of_all_workers))
            write_music(written / MUSIC)
            written.rename(folder)
    return folder / MUSIC


def write_music(folder: Path) -> None:
    """Write eleven files, eight of them sound; the metadata table names five of them, and one that is gone."""
    rows = []
    for number in range(4):
        name = f"Réels/tune no. {number}.mp3"
        ids = {} if number else {"musicbrainz_trackid": RECORDING, "isrc": "none", "tracknumber": "3/12"}
        sound(folder / name, number, title=f"Tune {number}", artist="Anon", genre="reel", **ids)
        rows.append([f"t{number}", name, f" Tune {number} ", "Anon", "Instrumental", "0:02", "REEL", "en"])
        rows[-1].append(f"2026-03-0{1 + number // 2}")
    sound(folder / "same tags 1.mp3", 5, title="Twin", artist="Both")
    sound(folder / "same tags 2.mp3", 6, title="Twin", artist="Both")
    sound(folder / "no tags.flac", 7)
    shutil.copy(folder / "no tags.flac", os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n.flac"))
    (folder / "empty.mp3").touch()
    (folder / "letter.mp3").write_text("Dear Sir, " * 1_000)
    soundfile.write(folder / "silence.wav", np.zeros(44_100, np.float32), 22_050)
    rows.append(["t9", "empty.mp3", "Nothing", "", "", "n/a", "", "", "2026-03-02"])
    rows.append(["t10", "lost.mp3", "Lost", "", "", "", "", "", "2026-03-01"])
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


@pytest.fixture
def music(original: Path, tmp_path: Path) -> Path:
    """Copy the files, with their times of change."""
    return Path(shutil.copytree(original, tmp_path / MUSIC))


class Pipeline:
    """The jobs of the DAG, in this process."""

    def __init__(self, spark: Any, database: Any, music: Path, lake: Path) -> None:
        self.lake = Lake(spark, str(lake))
        self.database = database
        self.music = music

    def metadata(self) -> Metadata:
        return MetadataTable(self.music / "metadata.csv").read(SEEN_ON)

    def inventory(self, seen_on: date = SEEN_ON) -> Comparison:
        return inventory.update(self.lake, list_audio(self.music), self.metadata(), seen_on, get_settings())

    def extract(self, days: Days | None = None, mode: Mode = Mode.SKIP) -> ExtractReport:
        return extraction.run(self.lake, self.music, days or Days(), mode)

    def integrate(self, days: Days | None = None) -> CleaningReport:
        return integrate.run(self.lake, self.metadata(), days or Days())

    def publish(self, days: Days | None = None) -> Published:
        return publish.update(self.lake, self.database, days or Days(), get_settings())

    def run_all(self, states: Path | None = None) -> CorpusReports:
        """All jobs of all days; nothing is announced. The lake is copied into `states` after each job."""
        made: dict[str, Any] = {}
        for job in (self.inventory, self.extract, self.integrate, self.publish):
            made[job.__name__] = job()
            if states:
                shutil.copytree(self.lake.uri, states / job.__name__)
        return CorpusReports(
            inventory=InventoryReport(
                music=str(self.music), source="metadata.csv", found=made["inventory"], late_days=()
            ),
            extract=made["extract"],
            integrate=made["integrate"],
            publish=PublishReport(published=made["publish"], days_announced=0),
        )

    def rows(self, table: str) -> list[Any]:
        """All rows of a table of the lake, in order."""
        return sorted(self.lake.read(table).collect(), key=lambda row: row["path"])


@pytest.fixture
def pipeline(spark: Any, mongo: Any, music: Path, tmp_path: Path) -> Iterator[Pipeline]:
    mongo.drop_collection("tracks")
    yield Pipeline(spark, mongo, music, tmp_path / "lake")
    mongo.drop_collection("tracks")  # its validator would refuse the made-up tracks of other tests


@dataclass(frozen=True)
class FirstRun:
    """A run of all jobs on the original music, whose states are copied, since each takes seconds to make.

    Attributes
    ----------
    reports : CorpusReports
    documents : list of dict
        What was published.
    lakes : Path
        Folder with the lake as it was after each job, by the name of the job.
    """

    reports: CorpusReports
    documents: list[dict[str, Any]]
    lakes: Path

    def copy(self, job: str, pipeline: Pipeline) -> Pipeline:
        """Give `pipeline` the lake as it was after `job`."""
        shutil.copytree(self.lakes / job, pipeline.lake.uri)
        return pipeline


@pytest.fixture(scope="session")
def first_run(spark: Any, mongo: Any, original: Path, of_all_workers: Path) -> FirstRun:
    """Let the pipeline run once, by the first worker, and keep its state after each job."""
    kept = of_all_workers / "first-run.pickle"
    with locks.exclusive(of_all_workers / "first-run.lock"):
        if not kept.exists():
            lakes = Path(mkdtemp(dir=of_all_workers))
            first = Pipeline(spark, mongo, original, lakes / "lake")
            mongo.drop_collection("tracks")
            reports = first.run_all(lakes)
            kept.write_bytes(pickle.dumps((reports, list(mongo.tracks.find()), lakes)))
            mongo.drop_collection("tracks")
    return FirstRun(*pickle.loads(kept.read_bytes()))  # noqa: S301 - another worker of this run wrote it


@pytest.fixture
def listed(first_run: FirstRun, pipeline: Pipeline) -> Pipeline:
    """The pipeline, its music in the inventory."""
    return first_run.copy("inventory", pipeline)


@pytest.fixture
def extracted(first_run: FirstRun, pipeline: Pipeline) -> Pipeline:
    """The pipeline, all of its files extracted."""
    return first_run.copy("extract", pipeline)


@pytest.fixture
def integrated(first_run: FirstRun, pipeline: Pipeline) -> Pipeline:
    """The pipeline, all of its days integrated."""
    return first_run.copy("integrate", pipeline)


@pytest.fixture
def published(first_run: FirstRun, integrated: Pipeline) -> Pipeline:
    """The pipeline, all of its days published."""
    prepare(integrated.database).insert_many(first_run.documents)
    return integrated


@pytest.fixture
def add_sound(music: Path) -> Callable[..., None]:
    """Return a function that adds a file to the music folder."""
    return lambda name, seed, **tags: sound(music / name, seed, **tags)
