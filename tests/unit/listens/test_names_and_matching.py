from __future__ import annotations

import pytest

from segue.listens.matching import CatalogueEntry, Match, Method, TrackIndex
from segue.tracks import names

CATALOGUE = [
    CatalogueEntry("t1", "The Beatles", "Come Together", "b1a9c0e9-d987-4042-ae91-78d6a3267d69"),
    CatalogueEntry("t2", "The Beatles", "Come Together - Live"),
    CatalogueEntry("t3", "Björk", "Jóga"),
    CatalogueEntry("t4", "Кино", "Группа крови"),
    CatalogueEntry("t5", "Johann Sebastian Bach", "Suite No. 1 in G major"),
    CatalogueEntry("t6", "Johann Sebastian Bach", "Suite No. 2 in D minor"),
    CatalogueEntry("t7", "Sigur Rós", "( )"),
    CatalogueEntry("t8", "AC/DC", "Back in Black"),
    CatalogueEntry("t9", "The Beatles", "Come Together"),
    CatalogueEntry("t10", "", ""),
]


@pytest.fixture(scope="module")
def index() -> TrackIndex:
    return TrackIndex(CATALOGUE)


@pytest.mark.parametrize(
    ("written", "simple", "core"),
    [
        ("Come Together - Remastered 2009", "come together remastered 2009", "come together"),
        ("Come Together (Live at Wembley, 1986)", "come together live at wembley 1986", "come together"),
        ("Jóga (feat. Someone) [Radio Edit]", "joga feat someone radio edit", "joga"),
        ("Beatles, The", "beatles", "beatles"),
        ("Simon & Garfunkel", "simon and garfunkel", "simon and garfunkel"),
        ("ＡＣ／ＤＣ", "ac dc", "ac dc"),
        ("Кино", "kino", "kino"),
        ("???", "???", "???"),
        ("Live", "live", "live"),
        ("(Live)", "live", "live"),
        ("Live and Let Die", "live and let die", "live and let die"),
        ("The The", "the", "the"),
        ("Don't Stop", "dont stop", "dont stop"),
        ("X (feat. Y) [Z Remix]", "x feat y z remix", "x z remix"),
        ("X feat. Y - Z Remix", "x feat y z remix", "x z remix"),
        ("X [Z Remix] (feat. Y)", "x z remix feat y", "x z remix"),
        ("X (Live) feat. Y", "x live feat y", "x"),
        ("X (feat. Y", "x feat y", "x"),
        ("X No. 11 ft. Y", "x no 11 ft y", "x no 11"),
        ("X - Live Acoustic Version", "x live acoustic version", "x live acoustic version"),
        ("X (Live from MTV Unplugged)", "x live from mtv unplugged", "x live from mtv unplugged"),
        ("X (Live at Y) [Z Remix]", "x live at y z remix", "x z remix"),
        ("Little Feat", "little feat", "little feat"),
        ("Little Feat & Friends", "little feat and friends", "little feat and friends"),
        ("Little Feat feat. Bonnie Raitt", "little feat feat bonnie raitt", "little feat"),
        ("( )", "()", "()"),
        ("÷", "÷", "÷"),
        ("+", "+", "+"),
        ("BjÃ¶rk", "bjork", "bjork"),
        ("Êèíî", "kino", "kino"),
        ("Mötley Crüe", "motley crue", "motley crue"),
    ],
)
def test_normal_forms(written: str, simple: str, core: str) -> None:
    assert (names.simple(written), names.core(written)) == (simple, core)


@pytest.mark.parametrize(
    ("artist", "title", "track_id", "method"),
    [
        ("the beatles", "COME TOGETHER", "t1", Method.NAME),
        ("Beatles", "Come Together - Live", "t2", Method.NAME),
        ("The Beatles", "Come Together - Remastered 2009", "t1", Method.NAME),
        ("Bjork", "Joga", "t3", Method.NAME),
        ("Kino", "Gruppa krovi", "t4", Method.NAME),
        ("Sigur Ros", "()", "t7", Method.NAME),
        ("ACDC", "Back in Black", "t8", Method.FUZZY),
        ("The Beetles", "Come Togethr", "t1", Method.FUZZY),
        ("Bach, Johann Sebastian", "Suite No. 2 in D minor", "t6", Method.NAME),
    ],
)
def test_listens_find_their_track(
    index: TrackIndex, artist: str, title: str, track_id: str, method: Method
) -> None:
    found = index.match(artist, title)
    assert found is not None
    assert (found.track_id, found.method) == (track_id, method)


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("Johann Sebastian Bach", "Suite No. 3 in G major"),
        ("The Beatles", "Let It Be"),
        ("Somebody Else", "Come Together"),
        ("", ""),
        ("x" * 10_000, "y" * 10_000),
    ],
)
def test_other_recordings_find_none(index: TrackIndex, artist: str, title: str) -> None:
    assert index.match(artist, title) is None


def test_ids_go_before_names(index: TrackIndex) -> None:
    mbid = CATALOGUE[0].recording_mbid
    assert index.match("x", "y", recording_mbid=str(mbid).upper()) == Match("t1", Method.MBID)
    assert index.match("x", "y", recording_mbid=mbid, track_id="t5") == Match("t5", Method.ID)
    assert index.match("Björk", "Jóga", recording_mbid="unknown", track_id="unknown") == Match("t3", Method.NAME)


def test_of_equal_names_the_smallest_id_stands_for_all() -> None:
    for entries in (CATALOGUE, CATALOGUE[::-1]):
        assert TrackIndex(entries).match("Beatles", "Come Together") == Match("t1", Method.NAME)


LONG = "Somewhere over the Rainbow and What a Wonderful World"
"""A title so long that a suffix changes its similarity little."""

VERSIONS = [
    "(Instrumental)",
    "- Instrumental",
    "(feat. Y) [Z Remix]",
    "- Live Acoustic Version",
    "(Demo)",
    "(Take 2)",
]


@pytest.mark.parametrize("title", ["X", LONG])
@pytest.mark.parametrize("version", VERSIONS)
def test_another_version_is_not_the_original_in_both_directions(title: str, version: str) -> None:
    original, other = CatalogueEntry("original", "A", title), CatalogueEntry("other", "A", f"{title} {version}")
    assert TrackIndex([original]).match("A", other.title) is None
    assert TrackIndex([other]).match("A", original.title) is None
    both = TrackIndex([original, other])
    assert both.match("A", original.title) == Match("original", Method.NAME)
    assert both.match("A", other.title) == Match("other", Method.NAME)


def test_remixes_by_others_are_others() -> None:
    index = TrackIndex([CatalogueEntry("z", "A", f"{LONG} (Zed Remix)")])
    assert index.match("A", f"{LONG} (Ted Remix)") is None
    assert index.match("A", f"{LONG} - Zed Remix") == Match("z", Method.NAME)
    assert index.match("A", f"{LONG[:-1]} [Zed Remix]") is not None


@pytest.mark.parametrize(
    "artist",
    ["Daft Punk", "daft punk", "Daft Punk feat. Pharrell Williams & Nile Rodgers", "Pharrell Williams",
     "Nile Rodgers; Pharrell Williams; Daft Punk", "Daft Punk, Pharrell Williams, Nile Rodgers", "Daft Punkk"],
)  # fmt: skip
def test_a_track_tagged_with_all_its_artists_is_found_by_one_and_by_all(artist: str) -> None:
    index = TrackIndex([CatalogueEntry("t", "Daft Punk; Pharrell Williams; Nile Rodgers", "Get Lucky")])
    for title in ("Get Lucky", "Get Lucky (feat. Pharrell Williams)"):
        found = index.match(artist, title)
        assert found is not None
        assert found.track_id == "t"


def test_joined_artists_match_in_either_order_but_not_one_of_them() -> None:
    index = TrackIndex([CatalogueEntry("t", "Queen & David Bowie", "Under Pressure")])
    for artist in (
        "David Bowie & Queen",
        "Queen and David Bowie",
        "Queen; David Bowie",
        "Queen feat. David Bowie",
    ):
        assert index.match(artist, "Under Pressure") == Match("t", Method.NAME), artist
    assert TrackIndex([CatalogueEntry("t", "Simon & Garfunkel", "America")]).match("Simon", "America") is None


def test_titles_of_signs_are_equal_or_different_and_never_similar() -> None:
    index = TrackIndex([CatalogueEntry("t", "A", "..."), CatalogueEntry("u", "A", "÷")])
    assert index.match("A", "…") == Match("t", Method.NAME)
    assert index.match("A", "÷") == Match("u", Method.NAME)
    assert [index.match("A", title) for title in ("....", "/", "×", "+")] == [None] * 4


def test_text_that_was_read_with_the_wrong_encoding_is_found() -> None:
    index = TrackIndex([CatalogueEntry("t", "Кино", "Группа крови"), CatalogueEntry("u", "BjÃ¶rk", "JÃ³ga")])
    for wrong in ("cp1251", "utf-8"):
        names_read = [text.encode(wrong).decode("latin-1") for text in ("Кино", "Группа крови")]
        assert index.match(*names_read) == Match("t", Method.NAME)
    assert index.match("Björk", "Jóga") == Match("u", Method.NAME)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Daft Punk", "Get Lucky"), ("Daft Punk; Pharrell Williams", "Get Lucky (feat. Pharrell Williams)")),
        (("Queen & David Bowie", "Under Pressure"), ("David Bowie & Queen", "UNDER PRESSURE [Bonus Track]")),
        (("Björk", "Jóga - Album Version"), ("Bjork", "Joga")),
        (("!!!", "÷"), ("!!!", "÷ (Deluxe Edition)")),
    ],
)
def test_names_of_copies_have_title_and_artist_in_common(one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = names.recording(*one), names.recording(*other)
    assert first is not None
    assert second is not None
    assert first[0] == second[0]
    assert first[1] & second[1]


@pytest.mark.parametrize(
    "title",
    [
        "Air (Live)",
        "Air - Live at Home",
        "Air - Remastered 2011",
        "Air [Z Remix]",
        "Air - Radio Edit",
        "Air (Mono)",
    ],
)
def test_other_versions_have_other_titles(title: str) -> None:
    plain, version = names.recording("Bach", "Air"), names.recording("Bach", title)
    assert plain is not None
    assert version is not None
    assert plain[0] != version[0]


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("[unknown]", "[untitled]"),
        ("Bach", "Untitled"),
        ("Bach", "Track 01"),
        ("Bach", "07"),
        ("Unknown Artist", "Air"),
        ("Various Artists", "Air"),
    ],
)
def test_names_that_identify_nothing_are_none(artist: str, title: str) -> None:
    assert names.recording(artist, title) is None
