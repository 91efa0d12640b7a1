"""Music that is away for a night keeps its tracks: a folder that cannot be entered, a disk that is not mounted."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from tests.integration.corpus.conftest import SEEN_ON

from segue.corpus import inventory
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
from segue.corpus.metadata import settle
from segue.errors import QualityGateError
from segue.settings import Settings

NO_METADATA = settle(pd.DataFrame(columns=["track_id", "file"]), SEEN_ON)


def test_a_folder_behind_a_link_that_leads_nowhere_keeps_its_tracks(published):
    before = published.rows("inventory")
    disk = published.music.with_name("disk")
    shutil.move(published.music / "Réels", disk)
    (published.music / "Réels").symlink_to(disk)
    assert published.inventory().gone == 0
    disk.rename(disk.with_name("away"))
    (published.music / "new.mp3").write_bytes(b"1")

    found = published.inventory()
    assert (found.files, found.new, found.gone, found.changed) == (len(before) + 1, 1, 0, 0)
    assert found.left_out.held == 4
    assert found.left_out.warning == (
        "1 folders or links cannot be entered (Réels: No such file or directory). "
        "4 known files are out of reach and stay as they are."
    )
    assert [row for row in published.rows("inventory") if row["path"] != "new.mp3"] == before
    assert published.extract().work.extracted == 1, "the new file alone"
    published.integrate()
    assert published.publish().removed == 0

    disk.with_name("away").rename(disk)
    found = published.inventory()
    assert (found.new, found.gone, found.changed, found.left_out.held) == (0, 0, 0, 0)
    assert found.left_out.warning == ""


@pytest.fixture
def library(tmp_path):
    """Thirty files in one folder, and ten in another."""
    for folder, files in {"A": 10, "B": 30}.items():
        (tmp_path / "music" / folder).mkdir(parents=True)
        for number in range(files):
            (tmp_path / "music" / folder / f"{number}.mp3").write_bytes(b"1")
    return tmp_path / "music"


def test_files_that_are_links_to_a_disk_that_is_away_stay_as_they_are(spark, library, tmp_path):
    lake = Lake(spark, str(tmp_path / "lake"))
    disk = library.with_name("disk")
    (library / "B").rename(disk)
    (library / "B").mkdir()
    for file in disk.iterdir():
        (library / "B" / file.name).symlink_to(file)
    inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings())
    before = sorted(lake.read("inventory").collect())
    disk.rename(disk.with_name("away"))
    found = inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings())
    assert (found.changed, found.gone, found.left_out.held) == (0, 0, 30)
    assert sorted(lake.read("inventory").collect()) == before


def test_a_share_that_is_not_mounted_is_refused_before_anything_changes(spark, library, tmp_path):
    lake = Lake(spark, str(tmp_path / "lake"))
    inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings())
    before = sorted(lake.read("inventory").collect())
    (library / "B").rename(library.with_name("away"))
    (library / "B").mkdir()  # its mount point
    with pytest.raises(QualityGateError, match=r"Of 40 known files 30 are gone .*Gone from: B \(30\)"):
        inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings())
    assert sorted(lake.read("inventory").collect()) == before

    meant = inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings(gate_max_gone=0.75))
    assert (meant.files, meant.gone) == (10, 30)


def test_a_renamed_library_is_not_taken_for_one_that_is_away(spark, library, tmp_path):
    lake = Lake(spark, str(tmp_path / "lake"))
    inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings())
    (library / "B").rename(library / "C")
    found = inventory.update(lake, list_audio(library), NO_METADATA, SEEN_ON, Settings())
    assert (found.gone, found.new) == (30, 30)
