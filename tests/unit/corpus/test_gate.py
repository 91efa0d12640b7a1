from __future__ import annotations

import math
import re

import pytest
from tests.support.corpus_reports import cleaning as report

from segue.corpus import gate
from segue.corpus.reports import DayCounts
from segue.errors import QualityGateError
from segue.settings import Settings

LIMITS = Settings()


def judge(report, reference=None, limits=LIMITS, extracted_files=None):
    files = report.counts.files if extracted_files is None else extracted_files
    return gate.judge(report, files, reference, limits)


def failed(extracted_files=None, **changes):
    checks = judge(report(**changes), extracted_files=extracted_files)
    return [check.name for check in checks if not check.passed]


def test_a_good_partition_passes():
    assert failed() == []
    gate.require(judge(report()))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"files": 11}, "features + rejects, of files"),
        ({"tracks": 7, "distinct_tracks": 7}, "tracks, of features"),
        ({"distinct_tracks": 7}, "different track ids"),
        ({"bad_vectors": 1}, "tracks without 518 finite features"),
        ({"null": {"title": 1, "genre": 0}}, "tracks without a title"),
        ({"shortest_s": 0.2}, "shortest track, seconds"),
        ({"longest_s": math.nan}, "longest track, seconds"),
        ({"features": 4, "tracks": 4, "distinct_tracks": 4, "rejects": 6}, "share of files rejected"),
        ({"flagged": {"duplicate": 5, "outlier": 0}}, "share of duplicates"),
        ({"flagged": {"duplicate": 0, "outlier": 3}}, "share of outliers"),
    ],
)
def test_each_fault_fails_its_check_alone(changes, name):
    assert failed(**changes) == [name]


def test_a_partition_where_all_is_rejected_fails():
    assert "tracks" in failed(features=0, rejects=10, tracks=0, distinct_tracks=0, shortest_s=None, longest_s=None)


def test_an_empty_partition_has_nothing_to_check():
    nothing = report(files=0, features=0, rejects=0, tracks=0, distinct_tracks=0, shortest_s=None)
    assert judge(nothing) == []


def test_a_lake_that_was_lost_meanwhile_is_no_empty_partition():
    lost = {"files": 0, "features": 0, "rejects": 0, "tracks": 0, "distinct_tracks": 0}
    assert "files, of those at the extraction" in failed(**lost, extracted_files=10)


def test_files_that_another_run_has_added_or_removed_meanwhile_are_no_fault_to_mend():
    checks = judge(report(), extracted_files=11)
    with pytest.raises(QualityGateError, match=r"Another run has changed it since.*Clear the task `inventory`"):
        gate.require(checks)


def test_tracks_that_are_left_without_files_fail():
    assert "features + rejects, of files" in failed(files=0)


def test_shares_of_very_few_files_are_not_judged():
    assert failed(files=2, features=1, rejects=1, tracks=1, distinct_tracks=1) == []


def test_the_error_is_the_table_of_what_failed():
    with pytest.raises(QualityGateError, match=r"1 of 13 checks failed(?s:.*)FAIL  different track ids +7  8\n"):
        gate.require(judge(report(distinct_tracks=7)))


def many(**changes):
    """A report of a hundred tracks with one descriptor."""
    figures = {"files": 100, "features": 98, "tracks": 98, "distinct_tracks": 98}
    figures["null"] = {"title": 0, "artist": 0, "genre": 0, "language": 98}
    figures["quantiles"] = {"rmse": [float(each) for each in range(11)]}
    figures["genres"] = {"Rock": 50, "Folk": 40, "(none)": 8}
    return report(**(figures | changes))


def failed_beside(reference, **changes):
    return [check.name for check in judge(many(**changes), reference) if not check.passed]


def test_what_is_like_the_last_good_run_passes():
    assert failed_beside(many(), quantiles={"rmse": [each + 3.0 for each in range(11)]}) == []


def test_a_descriptor_that_has_moved_out_of_its_range_fails():
    assert failed_beside(many(), quantiles={"rmse": [each + 20.0 for each in range(11)]}) == ["drift of rmse"]


def test_a_column_that_is_suddenly_blank_fails():
    nulls = {"title": 0, "artist": 98, "genre": 0, "language": 98}
    assert failed_beside(many(), null=nulls) == ["rise of tracks without artist"]


@pytest.mark.parametrize(
    "genres", [{"Rock": 90, "(none)": 8}, {"Folk": 98}, {"Rock": 40, "Jazz": 50, "(none)": 8}]
)
def test_genres_that_moved_less_than_the_limit_pass(genres):
    assert failed_beside(many(), genres=genres) == []


def test_genres_that_are_all_new_fail():
    names = ["share of the genres that vanished", "largest rise of a genre's share"]
    assert failed_beside(many(), genres={"Noise": 98}) == names


def test_an_album_is_not_expected_to_have_the_genres_of_an_archive():
    nulls = {"title": 0, "artist": 0, "genre": 0, "language": 5_000}
    archive = many(tracks=5_000, null=nulls, genres={"Rock": 3_000, "Folk": 2_000})
    assert failed_beside(archive, genres={"Noise": 98}) == []


def grown(**changes):
    """Figures of a thousand tracks, of the day after one of a hundred."""
    counts = {"files": 1_000, "features": 980, "rejects": 20, "tracks": 980, "distinct_tracks": 980}
    nulls = {"title": 0, "artist": 0, "genre": 0, "language": 980}
    return {**counts, "null": nulls, "genres": {"Hymn": 980}} | changes


def test_a_corpus_that_grows_tenfold_overnight_may_be_of_other_genres():
    assert failed_beside(many(), **grown()) == []


def test_a_corpus_that_grows_tenfold_without_tags_is_held_back_with_the_setting_that_lets_it_pass():
    nulls = {"title": 0, "artist": 960, "genre": 980, "language": 980}
    checks = judge(many(**grown(null=nulls, genres={"(none)": 980})), many())
    with pytest.raises(
        QualityGateError, match=r"if the music is meant to be so, set (SEGUE_GATE_.*)\. Then"
    ) as error:
        gate.require(checks)
    settings = set(re.findall(r"SEGUE_(GATE_\w+)=([\d.]+)", str(error.value)))
    assert {name for name, _ in settings} == {"GATE_MAX_NULL_RISE"}
    wide = Settings(gate_max_null_rise=max(float(value) for _, value in settings))
    gate.require(judge(many(**grown(null=nulls, genres={"(none)": 980})), many(), wide))


def test_a_fault_that_no_setting_lets_pass_names_none():
    with pytest.raises(QualityGateError, match=r"Mend the files or the metadata\. Then run"):
        gate.require(judge(report(distinct_tracks=7)))


def test_a_lower_bound_is_named_with_a_value_below_what_was_measured():
    nulls = {"title": 0, "artist": 0, "genre": 5, "language": 8}
    checks = judge(report(null=nulls), limits=Settings(gate_min_labelled=0.9))
    with pytest.raises(QualityGateError, match=r"set SEGUE_GATE_MIN_LABELLED=0\.37\."):
        gate.require(checks)


def day(files, rejects, tracks):
    return DayCounts(files=files, features=files - rejects, rejects=rejects, tracks=tracks)


def test_a_bad_day_among_thirty_is_seen():
    days = {f"2026-03-{number:02d}": day(40, 1, 39) for number in range(1, 31)}
    assert failed_beside(None, days=days) == []
    assert failed_beside(None, days=days | {"2026-03-17": day(40, 30, 10)}) == ["rejected on 2026-03-17"]
    assert failed_beside(None, days=days | {"2026-03-17": day(40, 1, 10)}) == ["days whose counts do not add up"]


def test_few_tracks_are_not_compared():
    assert failed_beside(many(tracks=29), quantiles={"rmse": [1e6] * 11}) == []


def test_the_thresholds_are_settings():
    checks = judge(many(null={"title": 0, "genre": 50}), limits=Settings(gate_min_labelled=0.9))
    assert [check.name for check in checks if not check.passed] == ["share of tracks with a genre"]


AWAY = {"B": 300, "A": 100}


def test_files_that_are_gone_all_at_once_are_refused_with_folders_and_setting():
    with pytest.raises(QualityGateError) as refused:
        gate.require_presence(1_000, 5, AWAY, Settings())
    message = str(refused.value)
    assert "Of 1,000 known files 400 are gone and 5 are new, so nothing was changed or unpublished" in message
    assert "Gone from: B (300), A (100)." in message
    remedy = re.search(r"SEGUE_GATE_MAX_GONE=([0-9.]+)", message)
    assert remedy
    gate.require_presence(1_000, 5, AWAY, Settings(gate_max_gone=float(remedy[1])))


@pytest.mark.parametrize(
    ("known", "new", "gone"),
    [
        (1_000, 0, 200),  # exactly the share that is allowed
        (20, 0, 19),  # few files, whatever their share
        (1_000, 1_000, 1_000),  # renamed
    ],
)
def test_files_that_go_now_and_then_or_are_renamed_pass(known, new, gone):
    gate.require_presence(known, new, {"A": gone}, Settings())
