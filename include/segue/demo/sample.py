"""The sample corpus: real music, rendered once on this machine from scores.

Every file is written completely or not at all. If a rendering was interrupted, killed or stopped by a full disk,
the next call continues it. ``sample.json`` beside the music lists the files of the folder, and says whether it is
complete.
"""

from __future__ import annotations

import errno
import io
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mutagen.easyid3 import EasyID3

from segue.demo import plan as planning
from segue.demo import tables
from segue.demo.damage import DAMAGES
from segue.demo.material import corpus_dir, soundfont
from segue.demo.plan import Piece
from segue.demo.scores import GENRES, catalogue
from segue.demo.synthesis import encode_mp3, perform, read_notes
from segue.demo.workers import run_in_processes
from segue.errors import CorpusError

RECIPE_VERSION = 2  # increase it whenever the same arguments would make other files
_MANIFEST = "sample.json"
_PART = ".part"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BYTES_PER_PIECE = 300_000


@dataclass(frozen=True)
class SampleSummary:
    """The content of a sample corpus.

    Attributes
    ----------
    music_dir
        Folder of the music, of ``metadata.csv`` and ``sources.csv``.
    pieces
        Number of undamaged audio files.
    genres
        Number of undamaged pieces by genre.
    damaged
        Correct reason codes for the rejection of each damaged file, by its path.
    unlisted
        Paths of the files without a row in the metadata table.
    unlabelled
        Paths of the undamaged files whose genre is stated nowhere.
    missing
        Paths in the metadata table without a file.
    rendered
        Number of files that this call has rendered.
    seconds
        Duration of this call in seconds.
    """

    music_dir: Path
    pieces: int
    genres: dict[str, int]
    damaged: dict[str, tuple[str, ...]]
    unlisted: tuple[str, ...]
    unlabelled: tuple[str, ...]
    missing: tuple[str, ...]
    rendered: int
    seconds: float


def render(
    target_dir: Path,
    *,
    pieces: int = 240,
    seed: int = 2026,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SampleSummary:
    """Render the sample corpus into a folder, or complete it. Do nothing if it is complete.

    Parameters
    ----------
    target_dir
        Folder of the music; created if it does not exist. A folder with other files is refused. A sample corpus of
        another recipe (seed, number of pieces) is replaced.
    pieces
        Number of undamaged pieces of 30 s. Some damaged files are added.
    seed
        The same seed gives the same bytes.
    workers
        Number of processes; default one for each core.
    progress
        Called after each file with the number of finished files and the number of all files.

    Returns
    -------
    SampleSummary

    Raises
    ------
    PrerequisiteError
        If the packages with the scores, the synthesizer or the SoundFont are not installed.
    CorpusError
        If the folder has other files, the disk is full, or a rendering process was killed.
    """
    started = time.monotonic()
    recipe = {"version": RECIPE_VERSION, "pieces": pieces, "seed": seed}
    manifest = _read_manifest(target_dir)
    if manifest and manifest["recipe"] == recipe and _is_complete(target_dir, manifest):
        return _summary(target_dir, manifest, 0, started)

    corpus, font = corpus_dir(), soundfont()
    plan = planning.draw(catalogue(corpus), pieces, seed)
    metadata, missing = tables.metadata(plan, seed)
    try:
        _prepare(target_dir, manifest, recipe)
        todo = [piece for piece in plan if not (target_dir / piece.path).is_file()]
        for folder in {(target_dir / piece.path).parent for piece in todo}:
            folder.mkdir(exist_ok=True)
        job = partial(_render_one, target_dir=target_dir, corpus=corpus, font=font, seed=seed)
        for done, _ in enumerate(run_in_processes(job, todo, workers), start=len(plan) - len(todo) + 1):
            if progress:
                progress(done, len(plan))
        _write(target_dir / "metadata.csv", metadata.encode())
        _write(target_dir / "sources.csv", tables.sources(plan).encode())
        manifest = _manifest(recipe, plan, missing)
        _write(target_dir / _MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        if error.errno not in _FULL:
            raise CorpusError(f"The sample corpus cannot be written to {target_dir}: {error.strerror}.") from error
        need = len(plan) * _BYTES_PER_PIECE // 1_000_000
        raise CorpusError(
            f"The disk of {target_dir} is full: the sample corpus needs about {need} MB. Free some space, or set "
            "SEGUE_HOME to a folder on another disk, and run the command again. It continues where it stopped."
        ) from error
    return _summary(target_dir, manifest, len(todo), started)


def _read_manifest(target_dir: Path) -> dict[str, Any] | None:
    try:
        manifest: dict[str, Any] = json.loads((target_dir / _MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return manifest


def _is_complete(target_dir: Path, manifest: dict[str, Any]) -> bool:
    return manifest["complete"] and all((target_dir / path).is_file() for path in manifest["files"])


def _prepare(target_dir: Path, manifest: dict[str, Any] | None, recipe: dict[str, int]) -> None:
    """Remove files of another recipe, and write the manifest of this one."""
    target_dir.mkdir(parents=True, exist_ok=True)
    if manifest is None and any(path.suffix != _PART for path in target_dir.iterdir()):
        raise CorpusError(f"{target_dir} has files that are not a sample corpus. Choose an empty folder.")
    for leftover in target_dir.rglob(f"*{_PART}"):
        leftover.unlink()
    if manifest and manifest["recipe"] != recipe:
        for genre in GENRES:
            for file in (target_dir / genre.folder).glob("[0-9]*.*"):
                file.unlink()
    incomplete = {"recipe": recipe, "complete": False, "files": []}
    _write(target_dir / _MANIFEST, json.dumps(incomplete).encode())


def _manifest(recipe: dict[str, int], plan: list[Piece], missing: list[str]) -> dict[str, Any]:
    sound = [piece for piece in plan if piece.damage is None]
    return {
        "recipe": recipe,
        "complete": True,
        "files": ["metadata.csv", "sources.csv", *(piece.path for piece in plan)],
        "pieces": len(sound),
        "genres": Counter(piece.score.genre for piece in sound),
        "damaged": {piece.path: DAMAGES[piece.damage].reasons for piece in plan if piece.damage},
        "unlisted": [piece.path for piece in plan if not piece.listed],
        "unlabelled": [piece.path for piece in sound if not piece.labelled],
        "missing": missing,
    }


def _summary(target_dir: Path, manifest: dict[str, Any], rendered: int, started: float) -> SampleSummary:
    return SampleSummary(
        music_dir=target_dir,
        pieces=manifest["pieces"],
        genres=dict(manifest["genres"]),
        damaged={path: tuple(reasons) for path, reasons in manifest["damaged"].items()},
        unlisted=tuple(manifest["unlisted"]),
        unlabelled=tuple(manifest["unlabelled"]),
        missing=tuple(manifest["missing"]),
        rendered=rendered,
        seconds=time.monotonic() - started,
    )


def _render_one(piece: Piece, target_dir: Path, corpus: Path, font: Path, seed: int) -> None:
    notes, length = read_notes(corpus, piece.score)
    data = _tagged(encode_mp3(perform(notes, length, piece.performance, font)), piece)
    if piece.damage:
        data = DAMAGES[piece.damage].apply(data, random.Random(f"{seed}/{piece.track_id}"))
    _write(target_dir / piece.path, data)


def _tagged(mp3: bytes, piece: Piece) -> bytes:
    tags = EasyID3()  # type: ignore[no-untyped-call]
    tags["title"] = piece.score.title
    tags["artist"] = piece.score.artist
    tags["album"] = piece.score.collection.name
    tags["date"] = piece.created.isoformat()
    if piece.labelled:
        tags["genre"] = piece.score.genre
    buffer = io.BytesIO(mp3)
    tags.save(buffer)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    part = path.with_name(f".{path.name}{_PART}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
