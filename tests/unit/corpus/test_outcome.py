from __future__ import annotations

import pytest

from segue.corpus.outcome import outcome
from segue.errors import CorpusError


def jobs(*, inventory=3, published=2, without_genre=0):
    rejects = inventory - published
    return {
        "extract": {
            "mode": "skip",
            "partitions": 1,
            "inventory": inventory,
            "rejects": rejects,
            "rejected": {"SILENT": rejects} if rejects else {},
            "extracted": inventory,
            "tracks_per_s": 5.0,
        },
        "integrate": {
            "tracks": published,
            "flagged": {"duplicate": 0, "outlier": 0},
            "genres": {"Reel": published},
            "null": {"genre": without_genre},
        },
        "publish": {"published": published, "collection": "segue.tracks", "tracks_in_collection": 9},
    }


def test_tells_what_went_in_and_came_out():
    total = outcome(jobs())
    assert (total["files_in"], total["tracks_out"], total["rejected"]) == (3, 2, {"SILENT": 1})
    assert total["note"] == "none"


def test_fails_when_nothing_was_published():
    with pytest.raises(CorpusError, match=r"Of 3 files no track was published; rejected: \{'SILENT': 3\}"):
        outcome(jobs(published=0))


def test_an_empty_partition_is_fine_and_says_so():
    assert "No file entered the corpus" in outcome(jobs(inventory=0, published=0))["note"]


def test_says_that_no_track_has_a_genre():
    assert "Tag the files" in outcome(jobs(without_genre=2))["note"]


def test_says_whose_results_stand_when_nothing_has_changed():
    again = jobs()
    again["publish"]["unchanged_since"] = "corpus/manual__1"
    assert "Nothing has changed since corpus/manual__1" in outcome(again)["note"]


def test_a_ping_needs_no_more_than_the_plan():
    total = outcome({"inventory": {}, "extract": {"mode": "ping", "would_extract": 4}})
    assert total["would_extract"] == 4
