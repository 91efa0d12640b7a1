"""FMA's tables as they are published, at a smaller scale: 163 genres, 300 tracks, all 52 columns."""

from __future__ import annotations

import csv
import random
from datetime import date

import pytest

from segue.corpus.sources.fma import FmaMetadata
from segue.errors import CorpusError

TODAY = date(2026, 3, 1)

GROUPS = {
    "album": "comments date_created date_released engineer favorites id information listens producer tags title"
    " tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created favorites id latitude"
    " location longitude members name related_projects tags website wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top genres genres_all"
    " information interest language_code license listens lyricist number publisher tags title",
}
COLUMNS = [(group, name) for group, names in GROUPS.items() for name in names.split()]

ROOTS = {
    2: "International", 3: "Blues", 4: "Jazz", 5: "Classical", 8: "Old-Time / Historic", 9: "Country", 10: "Pop",
    12: "Rock", 13: "Easy Listening", 14: "Soul-RnB", 15: "Electronic", 17: "Folk", 20: "Spoken", 21: "Hip-Hop",
    38: "Experimental", 1235: "Instrumental",
}  # fmt: skip
NAMED = {25: ("Punk", 12), 89: ("Post-Punk", 25), 26: ("Post-Rock", 12), 76: ("Experimental Pop", 10)}
BELOW = NAMED | {2_000 + each: (f"Genre, {each}", [*ROOTS, *NAMED][each % 20]) for each in range(143)}
MANY_LINES = '<p>Born in "Skövde",\nmoved away,</p>\r\n<p>\n\nand back.</p>'


def root_of(genre):
    while genre not in ROOTS:
        genre = BELOW[genre][1]
    return genre


@pytest.fixture
def fma(tmp_path):
    """Return a function that writes FMA's folder, with the given tracks besides 300 random ones; read it."""
    rng = random.Random(7)
    folder = tmp_path / "fma_metadata"
    folder.mkdir()
    (tmp_path / "fma_large").mkdir()

    def make(*given, subset="fma_large", columns=COLUMNS):
        with (folder / "genres.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["genre_id", "#tracks", "parent", "title", "top_level"])
            writer.writerows([genre, rng.randrange(9_000), 0, title, genre] for genre, title in ROOTS.items())
            writer.writerows([genre, 1, up, title, root_of(genre)] for genre, (title, up) in BELOW.items())
        with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerows(["", *level] for level in zip(*columns, strict=True))
            writer.writerow(["track_id", *[""] * len(columns)])
            for row in [*(random_track(rng) for _ in range(300)), *given]:
                writer.writerow([row["id"], *(row.get(".".join(column), "") for column in columns)])
        (tmp_path / subset).mkdir(exist_ok=True)
        return FmaMetadata(folder, tmp_path / subset).read(TODAY)

    return make


def random_track(rng):
    genres = rng.sample(sorted(BELOW), rng.randrange(4))
    roots = {ROOTS[root_of(genre)] for genre in genres}
    return {
        "id": rng.randrange(1_000, 100_000),
        "album.information": MANY_LINES,
        "artist.bio": MANY_LINES,
        "artist.name": rng.choice(["AWOL", "Kurt Vile", "Сплин", "坂本", "Ergo Phizmiz", "nan"]),
        "set.split": rng.choice(["training", "validation", "test"]),
        "set.subset": "large",
        "track.date_created": f"20{rng.randrange(8, 18):02d}-11-26 01:44:45",
        "track.duration": str(rng.randrange(1, 18_350)),
        "track.genre_top": roots.pop() if len(roots) == 1 else "",
        "track.genres": str(genres),
        "track.genres_all": str(genres),
        "track.language_code": rng.choice(["en", "", "nan"]),
        "track.title": rng.choice(["Food", "This World", 'Say "Hé"', "東京, 2", "<b>Untitled</b>"]),
    }


def track(**columns):
    return {"id": 2, "track.title": "Food", "artist.name": "AWOL"} | {
        name.replace("__", "."): value for name, value in columns.items()
    }


def test_a_track_is_read_from_all_its_columns(fma):
    row = track(
        album__title="AWOL - A Way Of Life",
        track__genre_top="Hip-Hop",
        track__genres="[21]",
        track__date_created="2008-11-26 01:48:12",
        album__date_released="2009-01-05 00:00:00",
        track__duration="168",
        track__language_code="en",
        set__split="training",
        artist__bio=MANY_LINES,
    )
    assert fma(row).rows.set_index("track_id").loc["2"].to_dict() == {
        "file": "000/000002.mp3",
        "title": "Food",
        "artist": "AWOL",
        "album": "AWOL - A Way Of Life",
        "type": "",
        "duration": "",
        "genre": "Hip-Hop",
        "language": "en",
        "split": "training",
        "date": "2009-01-05 00:00:00",
        "content_hash": "",
        "date_created": date(2008, 11, 26),
    }


def test_every_row_is_read_whatever_its_text(fma):
    settled = fma()
    assert settled.counts["rows"] == 300
    assert settled.counts["unusable_track_ids"] == settled.counts["unknown_genres"] == 0
    rows = settled.rows
    assert set(rows["artist"]) == {"AWOL", "Kurt Vile", "Сплин", "坂本", "Ergo Phizmiz", ""}
    assert 'Say "Hé"' in set(rows["title"])
    assert set(rows["genre"]) - {""} <= set(ROOTS.values())
    number = int(rows["track_id"].iloc[0])
    assert rows["file"].iloc[0] == f"{number:06d}"[:3] + f"/{number:06d}.mp3"


@pytest.mark.parametrize(
    ("genres", "genre"),
    [
        ("[89]", "Rock"),
        ("[89, 25, 76]", "Rock"),
        ("[89, 76]", ""),
        ("[21, 137]", "Hip-Hop"),
        ("[]", ""),
        ("", ""),
        ("nan", ""),
        ("[21, None]", ""),
    ],
)
def test_a_genre_that_is_not_stated_is_the_root_of_most(fma, genres, genre):
    for blank in ("", "nan"):
        rows = fma(track(track__genres=genres, track__genre_top=blank)).rows
        assert rows.set_index("track_id").loc["2", "genre"] == genre


def test_genres_that_the_hierarchy_does_not_know_are_counted(fma):
    assert fma(track(track__genres="[21, 137]"), track(id=3, track__genres="[9999]")).counts["unknown_genres"] == 2


def test_only_full_tracks_have_the_duration_that_is_stated(fma):
    row = track(track__duration="168")
    assert fma(row).rows.set_index("track_id").loc["2", "duration"] == ""
    assert fma(row, subset="fma_full").rows.set_index("track_id").loc["2", "duration"] == "168"


def test_rows_without_a_number_are_counted_and_left_out(fma):
    settled = fma(track(id="none"), track(id="2"))
    assert settled.counts["unusable_track_ids"] == 1
    assert settled.counts["rows"] == 301


def test_the_music_folder_may_hold_the_subset(fma, tmp_path):
    fma(track())
    rows = FmaMetadata(tmp_path / "fma_metadata", tmp_path).read(TODAY).rows
    assert rows.set_index("track_id").loc["2", "file"] == "fma_large/000/000002.mp3"


def test_several_subsets_at_once_are_refused(fma, tmp_path):
    fma()
    (tmp_path / "fma_small").mkdir()
    with pytest.raises(CorpusError, match="holds fma_large and fma_small, which have tracks in common"):
        FmaMetadata(tmp_path / "fma_metadata", tmp_path).read(TODAY)


def test_a_table_that_is_not_as_published_is_refused(fma, tmp_path):
    with pytest.raises(CorpusError, match=r"tracks\.csv lacks the column set\.split\. Take it"):
        fma(columns=[column for column in COLUMNS if column != ("set", "split")])
    fma()
    (tmp_path / "fma_metadata" / "genres.csv").write_text("id,title\n1,Rock\n")
    with pytest.raises(CorpusError, match=r"genres\.csv is no table of genres like FMA's"):
        FmaMetadata(tmp_path / "fma_metadata", tmp_path / "fma_large").read(TODAY)
