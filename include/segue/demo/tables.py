"""The two tables beside the music: the metadata, with errors as in real tables, and the sources."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Mapping

from segue.demo.plan import FIRST_DAY, Piece
from segue.demo.scores import GENRES
from segue.demo.synthesis import DURATION_S

METADATA_COLUMNS = ("track_id", "file", "title", "artist", "type", "duration", "genre", "language", "date_created")
SOURCES_COLUMNS = (
    "file",
    "title",
    "artist",
    "genre",
    "collection",
    "score",
    "licence",
    "ensemble",
    "quarters_per_minute",
    "damage",
)

Row = dict[str, str]

_GENRE_OF = {genre.name: genre for genre in GENRES}


def metadata(plan: list[Piece], seed: int) -> tuple[str, list[str]]:
    """Make the metadata table.

    Returns
    -------
    text
        CSV with `METADATA_COLUMNS`.
    missing
        Paths of the rows that have no file.
    """
    rng = random.Random(f"{seed}/metadata")
    rows = [_row(piece) for piece in plan if piece.listed]
    _soil(rows, rng)
    some = max(1, len(rows) // 80)
    missing = [_row_without_file(number, rng.choice(rows)) for number in range(some)]
    repeated = [dict(row) for row in rng.sample(rows, k=some + 1)]
    repeated[0]["title"] = repeated[0]["title"].upper()  # the same track again, with slightly different text
    for row in missing + repeated:
        rows.insert(rng.randrange(len(rows) + 1), row)
    return _csv(METADATA_COLUMNS, rows), [row["file"] for row in missing]


def sources(plan: list[Piece]) -> str:
    """Make the table of sources and licences: `SOURCES_COLUMNS`, one row per file, including damaged ones."""
    return _csv(
        SOURCES_COLUMNS,
        (
            {
                "file": piece.path,
                "title": piece.score.title,
                "artist": piece.score.artist,
                "genre": piece.score.genre,
                "collection": piece.score.collection.name,
                "score": f"music21/corpus/{piece.score.path}#{piece.score.tune}",
                "licence": piece.score.collection.licence,
                "ensemble": piece.performance.ensemble,
                "quarters_per_minute": str(piece.performance.tempo),
                "damage": piece.damage or "",
            }
            for piece in plan
        ),
    )


def _row(piece: Piece) -> Row:
    genre = _GENRE_OF[piece.score.genre]
    return {
        "track_id": piece.track_id,
        "file": piece.path,
        "title": piece.score.title,
        "artist": piece.score.artist,
        "type": genre.type,
        "duration": f"{DURATION_S:.0f}",
        "genre": genre.name if piece.labelled else "",
        "language": genre.language,
        "date_created": piece.created.isoformat(),
    }


def _row_without_file(number: int, like: Row) -> Row:
    track_id = str(900_001 + number)
    return {
        **like,
        "track_id": track_id,
        "file": f"{like['file'].rpartition('/')[0]}/{track_id}.mp3",
        "title": f"Lost Tune No. {number + 1}",
        "date_created": FIRST_DAY.isoformat(),
    }


def _soil(rows: list[Row], rng: random.Random) -> None:
    """Put errors into some labelled rows. Each kind of error gets its own rows, at least one."""
    kinds = (
        (0.03, "duration", lambda _: rng.choice(["0:30", "n/a", "2:31", "half a minute"])),
        (0.02, "duration", lambda _: rng.choice(["0", "-30", "30000", "9999999"])),
        (0.03, "duration", lambda _: ""),
        (0.04, "genre", lambda genre: rng.choice([f"  {genre} ", genre.upper(), f"{genre.lower()}\t"])),
        (0.03, "genre", lambda _: ""),  # the file's tag still has it
        (0.02, "artist", lambda _: ""),
        (0.03, "language", lambda _: ""),
        (0.01, "title", lambda title: f" {title}  "),
    )
    clean = [row for row in rng.sample(rows, k=len(rows)) if row["genre"]]
    for share, column, dirty in kinds:
        for _ in range(max(1, round(share * len(rows)))):
            row = clean.pop()
            row[column] = dirty(row[column])


def _csv(columns: tuple[str, ...], rows: Iterable[Mapping[str, str]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
