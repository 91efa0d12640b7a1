from __future__ import annotations

import unicodedata

import pytest

from segue.corpus.locating import locate

JOGA = unicodedata.normalize("NFD", "Björk/Homogenic/Jóga.flac")
PATHS = ["01.flac", JOGA, "Björk/Homogenic/Hunter.flac", " Leading/ 02.flac", "back\\slash.flac"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("01.flac", "01.flac"),
        ("./01.flac", "01.flac"),
        (".\\01.FLAC", "01.flac"),
        ("back\\slash.flac", "back\\slash.flac"),
        (unicodedata.normalize("NFC", JOGA), JOGA),
        ("björk\\HOMOGENIC\\jóga.flac", JOGA),
        ("Björk//Homogenic/Hunter.flac", "Björk/Homogenic/Hunter.flac"),
        ("Leading/02.flac", " Leading/ 02.flac"),
        ("/home/anna/Music/Björk/Homogenic/Hunter.flac", "Björk/Homogenic/Hunter.flac"),
        ("C:\\Music\\Björk\\Homogenic\\Hunter.flac", "Björk/Homogenic/Hunter.flac"),
        ("file:///home/anna/Music/01.flac", "01.flac"),
        ("Music/01.flac", None),
        ("02.flac", None),
        ("", None),
    ],
)
def test_a_name_finds_its_file(name, path):
    assert locate([name], PATHS) == [path]


def test_files_that_differ_only_in_case_are_found_by_their_exact_names_only():
    assert locate(["A.flac", "a.flac", "A.FLAC"], ["a.flac", "A.flac"]) == ["A.flac", "a.flac", None]


def test_absolute_names_have_one_root_so_files_of_other_folders_are_not_taken_for_them():
    names = [
        "/home/anna/Music/a/1.flac",
        "/home/anna/Music/2.flac",
        "/elsewhere/2.flac",
        "/home/anna/Music/gone.flac",
    ]
    assert locate(names, ["a/1.flac", "2.flac"]) == ["a/1.flac", "2.flac", None, None]
