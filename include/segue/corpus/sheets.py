"""Divide the files of albums into tracks, by the CUE sheets beside them.

A sheet that does not fit its file is not used, and the file is one track. The report says why, in one sentence.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from upath import UPath

from segue import encodings
from segue.audio import cue
from segue.audio.results import Header
from segue.connections.storage import local_copy
from segue.corpus.lake import Lake
from segue.corpus.listing import AudioFile, Listing
from segue.corpus.parts import Part
from segue.corpus.paths import from_text
from segue.corpus.plan import TASKS_PER_CORE
from segue.corpus.reports import Sheets
from segue.corpus.worker import extractor

if TYPE_CHECKING:  # not in Spark's Python workers, which import this module, too
    import pandas as pd

MAX_BYTES = 2**20
"""Larger files are not CUE sheets."""

LENGTHS = "path string, length_s double"

Batches = Iterator[pa.RecordBatch]


def divide(lake: Lake, listing: Listing, before: pd.DataFrame) -> tuple[Listing, Sheets]:
    """Replace the files of albums by their tracks.

    Parameters
    ----------
    lake : Lake
    listing : Listing
    before : pandas.DataFrame
        The inventory so far, as `segue.corpus.assignment.in_pandas` reads it. If a sheet and its file have not
        changed, their lengths are not compared again.

    Returns
    -------
    Listing
        Sorted by path, with the path ``FILE#NUMBER`` for each track of a sheet. These tracks share the size of
        their file. Their modification time is the mean of that of the file and the sheet, so it changes with both.
    Sheets
        How many sheets were used, and why others were not.
    """
    if not listing.sheets:
        return listing, Sheets()
    parts, bad = tracks_of(listing)
    known = {AudioFile(*row) for row in before[["size_bytes", "mtime_ns", "part"]].itertuples()}
    new = [file for file, (_, tracks) in parts.items() if not known.issuperset(tracks)]
    for file, length_s in _lengths(lake, listing.root, new).items():
        sheet, tracks = parts[file]
        last = Part.of_text(tracks[-1].part)
        if last.start >= length_s * cue.FRAMES_PER_S:
            begins, ends = cue.clock(last.start), cue.clock(length_s * cue.FRAMES_PER_S)
            bad[sheet] = f"its last track begins at {begins}, but {file} ends at {ends}"
            del parts[file]
    whole = [file for file in listing.files if file.path not in parts]
    divided = [track for _, tracks in parts.values() for track in tracks]
    files = sorted((*whole, *divided), key=lambda file: file.path)
    reasons = [f"{sheet}: {reason}" for sheet, reason in sorted(bad.items())]
    report = Sheets(files=len(parts), tracks=len(divided), bad=tuple(reasons[: Sheets.SHOWN]), not_used=len(bad))
    return replace(listing, files=files), report


def tracks_of(listing: Listing) -> tuple[dict[str, tuple[str, list[AudioFile]]], dict[str, str]]:
    """Read the CUE sheets of a listing.

    Files that are a single track of their sheet need no division. So a sheet of an album with a file for each
    track has no effect.

    Parameters
    ----------
    listing : Listing

    Returns
    -------
    dict of str to (str, list of AudioFile)
        Sheet and tracks by path of the audio file. Of several sheets for a file, the first one by path is used.
    dict of str to str
        Reason by path of the sheets that cannot be used.
    """
    folders: dict[PurePosixPath, list[AudioFile]] = defaultdict(list)
    with_sheets = {PurePosixPath(sheet.path).parent for sheet in listing.sheets}
    for file in listing.files:
        folder = PurePosixPath(file.path).parent
        if folder in with_sheets:
            folders[folder].append(file)
    found: dict[str, tuple[str, list[AudioFile]]] = {}
    bad: dict[str, str] = {}
    for sheet in listing.sheets:
        try:
            for file, tracks in _read(listing.root, sheet, folders[PurePosixPath(sheet.path).parent]):
                found.setdefault(file.path, (sheet.path, tracks))
        except OSError as error:
            bad[sheet.path] = f"it cannot be read: {error.strerror or error}"
        except ValueError as error:
            bad[sheet.path] = str(error)
    return found, bad


def read_lengths(music_dir: Path | UPath) -> Callable[[Batches], Batches]:
    """Return the function that reads the stated lengths of the files of one Spark task.

    Parameters
    ----------
    music_dir : Path or UPath

    Returns
    -------
    callable
        For `mapInArrow`. It takes batches with the column `path` and yields batches of `LENGTHS`. It leaves out
        files whose length is not known.
    """
    schema = to_arrow_schema(StructType.fromDDL(LENGTHS))  # type: ignore[arg-type] # fromDDL's type is too wide

    def read(batches: Batches) -> Batches:
        for batch in batches:
            rows = []
            for path in batch["path"].to_pylist():
                with local_copy(music_dir, from_text(path)) as place:
                    header = extractor().read_header(place)
                if isinstance(header, Header) and header.length_s:
                    rows.append({"path": path, "length_s": header.length_s})
            yield pa.RecordBatch.from_pylist(rows, schema)

    return read


def _lengths(lake: Lake, music_dir: Path | UPath, files: Sequence[str]) -> dict[str, float]:
    if not files:
        return {}
    tasks = min(len(files), lake.spark.sparkContext.defaultParallelism * TASKS_PER_CORE)
    paths = lake.spark.createDataFrame([(path,) for path in files], "path string").repartition(tasks)
    return {row["path"]: row["length_s"] for row in paths.mapInArrow(read_lengths(music_dir), LENGTHS).collect()}


def _read(
    root: Path | UPath, sheet: AudioFile, beside: Sequence[AudioFile]
) -> list[tuple[AudioFile, list[AudioFile]]]:
    """Read a sheet. Return the files that it divides and their tracks. Raise ValueError with the reason if bad."""
    if sheet.size_bytes > MAX_BYTES:
        raise ValueError(f"it has {sheet.size_bytes:,} bytes, more than a CUE sheet has")
    with local_copy(root, from_text(sheet.path)) as place:
        files = cue.parse(encodings.decode(Path(place).read_bytes()))
    divided = [(_find(each.name, sheet, beside, len(files)), each) for each in files if len(each.tracks) > 1]
    if len({file.path for file, _ in divided}) < len(divided):
        raise ValueError("two of its files are the same file")
    return [(file, _parts(file, sheet, each.tracks)) for file, each in divided]


def _parts(file: AudioFile, sheet: AudioFile, tracks: Sequence[cue.CueTrack]) -> list[AudioFile]:
    state = (max(file.size_bytes // len(tracks), 1), (file.mtime_ns + sheet.mtime_ns) // 2)
    if file.is_out_of_reach:
        state = (0, 0)
    parts = [Part(file.path, track.start, track.end, track.tags) for track in tracks]
    return [
        AudioFile(f"{file.path}#{track.number}", *state, part.to_text())
        for track, part in zip(tracks, parts, strict=True)
    ]


def _find(name: str, sheet: AudioFile, beside: Sequence[AudioFile], files: int) -> AudioFile:
    """Find the file that a sheet names, among those in its folder.

    The name may have another case or other folders. It may also have another suffix, because programs keep the
    name of the WAV file when they compress it. If the sheet names one file only, the file may have the sheet's
    name.
    """
    wanted = PurePosixPath(_folded(name.replace("\\", "/")))
    names = {file: PurePosixPath(_folded(PurePosixPath(file.path).name)) for file in beside}
    stems = [wanted.stem, *([PurePosixPath(_folded(PurePosixPath(sheet.path).name)).stem] if files == 1 else [])]
    exact = [file for file, each in names.items() if each.name == wanted.name]
    similar = ([file for file, each in names.items() if each.stem == stem] for stem in stems)
    for found in (exact, *similar):
        if len(found) == 1:
            return found[0]
    raise ValueError(f"the file {name!r} that it names is not beside it")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
