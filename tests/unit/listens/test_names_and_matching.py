from __future__ import annotations

import pytest

from segue.listens import names
from segue.listens.matching import CatalogueEntry, Match, Method, TrackIndex

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
        ("Sigur Ros", "()", "t7", Method.FUZZY),
        ("ACDC", "Back in Black", "t8", Method.FUZZY),
        ("The Beetles", "Come Togethr", "t1", Method.FUZZY),
        ("Bach, Johann Sebastian", "Suite No. 2 in D minor", "t6", Method.FUZZY),
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
