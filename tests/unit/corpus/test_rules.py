from __future__ import annotations

from functools import partial

import pytest

from segue.audio.results import TAG_NAMES
from segue.corpus import rules

STRINGS = [f"meta_{name}" for name in (*rules.TEXTS, "duration", "date")]
STRINGS += [f"tag_{name}" for name in (*TAG_NAMES, "error")]
SCHEMA = ", ".join(f"{name} string" for name in [*STRINGS, "path"]) + ", duration_s double, changes array<string>"


@pytest.fixture
def apply(spark):
    """Run some rules on rows that are given as dictionaries; return such."""

    def run(which, *cases):
        rows = [
            (*(case.get(name) for name in STRINGS), case.get("path", "a/b.mp3"), case.get("duration_s", 30.0), [])
            for case in cases
        ]
        cleaned = spark.createDataFrame(rows, SCHEMA).coalesce(1)
        for rule in which:
            cleaned = rule(cleaned)
        return [row.asDict() for row in cleaned.collect()]

    return run


def test_text_is_normalised_in_unicode_and_white_space(apply):
    (row,) = apply([rules.normalise_text], {"meta_title": "  The\u0301\t\n Reel\x00 ", "tag_artist": "Bach"})
    assert (row["meta_title"], row["tag_artist"]) == ("Thé Reel", "Bach")
    assert row["changes"] == ["title_normalised"]


def test_placeholders_become_null(apply):
    (row,) = apply(
        [rules.normalise_text],
        {"meta_artist": " Unknown Artist", "meta_title": "N/A", "meta_album": "", "tag_title": "?"},
    )
    assert [row[name] for name in ("meta_artist", "meta_title", "meta_album", "tag_title")] == [None] * 4
    assert row["changes"] == ["title_placeholder", "artist_placeholder", "tag_title_placeholder"]


def test_a_title_of_a_million_characters_is_cut(apply):
    (row,) = apply([rules.normalise_text], {"meta_title": "x" * 10**6})
    assert len(row["meta_title"]) == rules.MAX_TAG_CHARACTERS


def test_the_metadata_goes_before_the_tag(apply):
    stated = {"meta_title": "A", "meta_genre": "D", "meta_language": "EN"}
    (row,) = apply([rules.choose_source], {**stated, "tag_title": "B", "tag_artist": "C"})
    assert (row["title"], row["artist"], row["genre"], row["language"]) == ("A", "C", "D", "en")
    assert row["changes"] == ["artist_from_tag"]


@pytest.mark.parametrize(
    ("meta", "tag", "year"),
    [
        ("1956", None, 1956),
        (" 2008-11-26 00:00:00", "1999", 2008),
        ("", "1723-05-01", 1723),
        ("n/a", None, None),
        (None, None, None),
        ("2099", "1883", 1883),
        ("0000-00-00", None, None),
        ("May 1901", None, None),
        ("19560", None, None),
        (None, "19990501", 1999),
        ("199905011", None, None),
    ],
)
def test_the_year_is_that_of_the_first_date_that_can_be(apply, meta, tag, year):
    (row,) = apply([rules.convert_year], {"meta_date": meta, "tag_date": tag})
    assert row["year"] == year
    wrong = year is None and meta not in (None, "n/a")
    assert row["changes"] == (["year_not_usable"] if wrong else [])


def test_without_title_the_file_name_serves(apply):
    (row,) = apply([rules.choose_source], {"path": "Réels/01. Drowsy Maggie.mp3"})
    assert row["title"] == "01. Drowsy Maggie"
    assert row["changes"] == ["title_from_file_name", "artist_missing", "genre_missing"]


def test_tags_that_cannot_be_read_are_noted(apply):
    (row,) = apply([rules.choose_source], {"meta_title": "T", "meta_artist": "A", "tag_error": "The tags …"})
    assert row["changes"] == ["tags_unreadable", "genre_missing"]


def test_spellings_of_a_genre_get_one_name(apply):
    expected = {
        "hip hop": "Hip-Hop",
        "Rap": "Hip-Hop",
        "R&B": "R&B",
        "Hip-Hop/Rap": "Hip-Hop",
        "Rock; Pop": "Rock",
        "GERMAN folk Song": "German Folk Song",
        "Reel": "Reel",
        "汉族民歌": "汉族民歌",
        "rock\\\\pop": "Rock",
        "Jazz • Folk": "Jazz",
        "(17)": "Rock",
        "Unknown Genre; Reel": "Reel",
        None: None,
    }
    cases = [{"meta_genre": genre, "meta_title": "t", "meta_artist": "a"} for genre in expected]
    rows = apply([rules.choose_source, rules.canonicalise_genre], *cases)
    assert {row["meta_genre"]: row["genre"] for row in rows} == expected
    for row in rows:
        assert ("genre_renamed" in row["changes"]) == (row["meta_genre"] != row["genre"])


def test_all_genres_are_kept_and_the_first_is_the_genre(apply):
    expected = {"rock; Hip-Hop/Rap, POP": ["Rock", "Hip-Hop", "Pop"], "/": [], None: []}
    rows = apply([rules.choose_source, rules.canonicalise_genre], *({"tag_genre": genre} for genre in expected))
    assert {row["tag_genre"]: row["genres"] for row in rows} == expected
    assert [row["genre"] for row in rows] == ["Rock", None, None]
    assert "genre_placeholder" in rows[1]["changes"]


def test_a_genre_that_says_nothing_gives_way_to_the_tag(apply):
    (row,) = apply(
        [rules.normalise_text, rules.choose_source], {"meta_genre": "Unknown Genre", "tag_genre": "Jig"}
    )
    assert row["genre"] == "Jig"
    assert row["changes"][:1] == ["genre_placeholder"]


def test_a_genre_becomes_its_top_genre_where_the_hierarchy_has_it(apply):
    tops = {"punk": "Rock", "rock": "Rock", "hip-hop": "Hip-Hop", "pop / rock": "Pop"}
    expected = {
        "PUNK": ("Rock", ["genre_renamed"]),
        "Rock": ("Rock", []),
        "punk; jazz": ("Rock", ["genre_renamed"]),
        "Rap": ("Hip-Hop", ["genre_renamed"]),
        "Pop / Rock": ("Pop", ["genre_renamed"]),
        "polka": ("Polka", ["genre_renamed", "genre_not_in_hierarchy"]),
        None: (None, []),
    }
    rows = apply(
        [lambda rows: rows.withColumnRenamed("tag_genre", "genre"), partial(rules.canonicalise_genre, tops=tops)],
        *({"tag_genre": genre, "meta_title": genre} for genre in expected),
    )
    assert {row["meta_title"]: (row["genre"], row["changes"]) for row in rows} == expected


def test_a_stated_duration_becomes_seconds(apply):
    expected = {
        "183": (183.0, []),
        " 183.5 ": (183.5, []),
        "3:03": (183.0, []),
        "1:02:03": (3723.0, []),
        "0:30": (30.0, []),
        "half a minute": (None, ["duration_not_a_number"]),
        "3:99": (None, ["duration_not_a_number"]),
        "1e3": (None, ["duration_not_a_number"]),
        "0": (None, ["duration_out_of_range"]),
        "-30": (None, ["duration_out_of_range"]),
        "9999999": (None, ["duration_out_of_range"]),
        "n/a": (None, []),
        "": (None, []),
        None: (None, []),
    }
    rows = apply([rules.convert_duration], *({"meta_duration": text} for text in expected))
    assert {row["meta_duration"]: (row["stated_duration_s"], row["changes"]) for row in rows} == expected


def test_the_decoded_duration_is_kept_and_a_difference_noted(apply):
    expected = {
        ("30", 31.9): [],
        ("30", 32.1): ["duration_disagrees"],
        ("600", 625.0): [],
        ("600", 640.0): ["duration_disagrees"],
        (None, 30.0): [],
    }
    cases = [{"meta_duration": stated, "duration_s": decoded} for stated, decoded in expected]
    rows = apply([rules.convert_duration, rules.reconcile_duration], *cases)
    assert {(row["meta_duration"], row["duration_s"]): row["changes"] for row in rows} == expected


ONE, TWO = "87c5dedd-371d-4a53-9f7f-80522fb7f3cb", "f27ec8db-af05-4f36-916e-3d57f91ecf5e"


def test_identifiers_are_canonical_and_values_that_are_none_are_noted(apply):
    cases = {
        ("recording_mbid", ONE.upper()): (ONE, False),
        ("recording_mbid", f"{ONE}; {TWO}"): (ONE, False),
        ("recording_mbid", f"x; {TWO}"): (TWO, True),
        ("recording_mbid", ONE.replace("-", "")): (None, True),
        ("recording_mbid", "00000000-0000-0000-0000-000000000000"): (None, True),
        ("release_mbid", "9ff43b6a"): (None, True),
        ("acoustid", ONE): (ONE, False),
        ("artist_mbids", f"{ONE}/{TWO}"): ([ONE, TWO], False),
        ("artist_mbids", f"{ONE}; {ONE};{TWO}"): ([ONE, TWO], False),
        ("artist_mbids", "-"): (None, True),
        ("isrc", "gb-aye-93-00106"): ("GBAYE9300106", False),
        ("isrc", "GB AYE 93 00106; GBAYE9300107"): ("GBAYE9300106", False),
        ("isrc", "GBAYE93001066"): (None, True),
        ("isrc", "  "): (None, False),
        ("isrc", None): (None, False),
    }
    rows = apply([rules.convert_identifiers], *({f"tag_{name}": text} for name, text in cases))
    found = {
        case: (row[case[0]], f"{case[0]}_invalid" in row["changes"]) for case, row in zip(cases, rows, strict=True)
    }
    assert found == cases


@pytest.mark.parametrize(
    ("text", "number"),
    [("3", 3), ("03", 3), ("3/12", 3), (" 3 ", 3), ("0", None), ("A1", None), ("123456", None), (None, None)],
)
def test_numbers_of_track_and_disc(apply, text, number):
    (row,) = apply([rules.convert_numbers], {"tag_track_number": text, "tag_disc_number": text})
    assert (row["track_number"], row["disc_number"]) == (number, number)


def test_the_artist_of_the_album_is_taken_from_the_tag(apply):
    first, second = apply(
        [rules.normalise_text, rules.choose_source],
        {"tag_album_artist": "Various\n Artists"},
        {"tag_album_artist": "<unknown>"},
    )
    assert (first["album_artist"], second["album_artist"]) == ("Various Artists", None)
