from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date

import pytest

from segue.demo import plan as planning
from segue.demo import tables
from segue.demo.plan import Piece
from segue.demo.scores import GENRES, Score


@pytest.fixture(scope="module", params=[24, 240])
def plan(request: pytest.FixtureRequest, scores: dict[str, list[Score]]) -> list[Piece]:
    return planning.draw(scores, request.param, 2026)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_has_the_columns_of_the_contract(plan: list[Piece]) -> None:
    text, _ = tables.metadata(plan, 2026)
    assert text.splitlines()[0] == "track_id,file,title,artist,type,duration,genre,language,date_created"


def test_the_table_is_as_dirty_as_real_ones(plan: list[Piece]) -> None:
    table = rows(tables.metadata(plan, 2026)[0])
    for column in ("duration", "genre", "artist", "language"):
        assert any(not row[column] for row in table), f"no blank in {column}"
    durations = {row["duration"] for row in table}
    assert durations & {"0:30", "n/a", "2:31", "half a minute"}
    assert durations & {"0", "-30", "30000", "9999999"}
    names = {genre.name for genre in GENRES}
    untidy = {row["genre"] for row in table if row["genre"]} - names
    assert untidy
    assert {genre.strip().casefold() for genre in untidy} <= {name.casefold() for name in names}
    assert max(Counter(row["track_id"] for row in table).values()) > 1
    assert any(row["title"] != row["title"].strip() for row in table)


def test_most_rows_are_right(plan: list[Piece]) -> None:
    pieces = {piece.track_id: piece for piece in plan}
    table = [row for row in rows(tables.metadata(plan, 2026)[0]) if row["track_id"] in pieces]
    right = [
        row
        for row in table
        if (row["genre"], row["artist"], row["duration"])
        == (pieces[row["track_id"]].score.genre, pieces[row["track_id"]].score.artist, "30")
    ]
    assert len(right) / len(table) > 0.6


def test_every_row_has_an_id_a_file_and_a_valid_day(plan: list[Piece]) -> None:
    for row in rows(tables.metadata(plan, 2026)[0]):
        assert row["track_id"]
        assert row["file"]
        date.fromisoformat(row["date_created"])


def test_files_without_a_row_and_rows_without_a_file_are_the_stated_ones(plan: list[Piece]) -> None:
    text, missing = tables.metadata(plan, 2026)
    listed = {row["file"] for row in rows(text)}
    files = {piece.path for piece in plan}
    assert files - listed == {piece.path for piece in plan if not piece.listed} != set()
    assert listed - files == set(missing) != set()


def test_a_piece_without_a_label_has_no_genre_in_the_table(plan: list[Piece]) -> None:
    unlabelled = {piece.path for piece in plan if not piece.labelled}
    assert unlabelled
    assert {row["genre"] for row in rows(tables.metadata(plan, 2026)[0]) if row["file"] in unlabelled} == {""}


def test_source_and_licence_of_every_file_are_listed(plan: list[Piece]) -> None:
    table = rows(tables.sources(plan))
    assert [row["file"] for row in table] == [piece.path for piece in plan]
    assert all(row["score"].startswith("music21/corpus/") and row["licence"] for row in table)
