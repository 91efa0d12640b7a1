from __future__ import annotations

import pytest
from tests.support.corpus_reports import run

from segue.corpus.outcome import outcome
from segue.corpus.reports import LeftOut
from segue.errors import CorpusError


def test_tells_what_went_in_and_came_out():
    total = outcome(run(), 12.0)
    assert (total.files_in, total.tracks_out, total.rejected) == (3, 2, {"SILENT": 1})
    assert (total.extracted, total.tracks_per_s, total.seconds) == (3, 5.0, 12.0)
    assert total.note == "none"


def test_fails_when_nothing_was_published():
    with pytest.raises(CorpusError, match=r"Of 3 files no track was published; rejected: \{'SILENT': 3\}"):
        outcome(run(published=0), 1.0)


def test_an_empty_partition_is_fine_and_says_so():
    assert "No file entered the corpus" in outcome(run(files=0, published=0), 1.0).note


def test_says_that_no_track_has_a_genre():
    assert "Tag the files" in outcome(run(without_genre=2), 1.0).note


def test_says_that_the_metadata_fit_badly():
    reports = run()
    inventory = reports.inventory.model_copy(update={"metadata_warning": "Only 1 of 9 files"})
    assert outcome(reports.model_copy(update={"inventory": inventory}), 1.0).note == "Only 1 of 9 files"


def test_says_whose_results_stand_when_nothing_has_changed():
    again = run()
    publish = again.publish.model_copy(update={"unchanged_since": "corpus/manual__1"})
    again = again.model_copy(update={"publish": publish})
    assert "Nothing has changed since corpus/manual__1" in outcome(again, 1.0).note


def test_says_what_is_out_of_reach():
    left_out = LeftOut(unreadable=("B: Permission denied",), unreadable_folders=2, held=30)
    assert outcome(run(left_out=left_out), 1.0).note == (
        "2 folders or links cannot be entered (B: Permission denied; …). "
        "30 known files are out of reach and stay as they are."
    )


def test_counts_the_tracks_whose_tags_cannot_be_read_or_are_no_ids():
    assert outcome(run(changes={"tags_unreadable": 2}), 1.0).tags_unreadable == 2
    assert outcome(run(changes={"isrc_invalid": 3, "genre_missing": 1}), 1.0).invalid_ids == {"isrc": 3}
