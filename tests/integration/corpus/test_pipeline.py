from __future__ import annotations

import os
import shutil
import unicodedata
from datetime import date

import pytest
from pymongo.errors import WriteError
from tests.integration.corpus.conftest import RECORDING

from segue.corpus import extraction, gate, plan
from segue.corpus.days import Days
from segue.corpus.inventory import late_days
from segue.corpus.lake import Lake
from segue.corpus.outcome import outcome
from segue.corpus.plan import Mode
from segue.corpus.reports import DayCounts
from segue.errors import CorpusError
from segue.listens.catalogue import entries
from segue.listens.matching import Match, Method, TrackIndex
from segue.settings import Settings

pytestmark = pytest.mark.integration

FIRST, SECOND, SEEN_ON = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 5)


def commits(pipeline, table):
    return pipeline.lake.table(table).history().count()


def failed(report, extracted_files=None):
    """The checks of the gate that a report does not pass."""
    files = report.counts.files if extracted_files is None else extracted_files
    return [check.name for check in gate.judge(report, files, None, Settings()) if not check.passed]


def test_music_becomes_documents_and_a_second_run_changes_nothing(first_run, integrated):
    pipeline, reports = integrated, first_run.reports
    listed, extracted, report = reports.inventory.found, reports.extract, reports.integrate
    assert (listed.files, listed.new, listed.partitions, listed.with_metadata) == (11, 11, 3, 5)
    assert listed.metadata["rows_without_file"] == 1

    assert (extracted.work.extracted, extracted.outcomes.features, extracted.outcomes.rejects) == (11, 8, 3)
    assert extracted.outcomes.rejected == {"EMPTY": 1, "SILENT": 1, "UNREADABLE": 1}

    assert report.days[str(SECOND)] == DayCounts(files=3, features=2, rejects=1, tracks=2)
    assert report.counts == DayCounts(files=11, features=8, rejects=3, tracks=8)
    assert report.measured.tracks == report.measured.distinct_tracks == 8
    assert report.measured.genres == {"Reel": 4, "(none)": 4}
    assert report.measured.flagged == {"duplicate": 1, "outlier": 0}
    assert failed(report) == []

    published = pipeline.publish()
    assert (published.tracks, published.removed) == (8, 0)
    documents = {document["_id"]: document for document in pipeline.database.tracks.find()}
    reel = documents["t0"]
    assert (reel["title"], reel["artist"], reel["genre"], reel["type"]) == (
        "Tune 0",
        "Anon",
        "Reel",
        "instrumental",
    )
    assert (reel["partition_date"], len(reel["features"]), reel["flags"]) == ("2026-03-01", 2072, [])
    assert reel["path"] == "Réels/tune no. 0.mp3"
    assert reel["genres"] == ["Reel"]
    assert (reel["recording_mbid"], reel["track_number"], reel.get("isrc")) == (RECORDING, 3, None)
    assert report.measured.changes["isrc_invalid"] == 1
    assert not {"recording_mbid", "isrc", "artist_mbids"} & documents["t1"].keys()
    listened = TrackIndex(entries(pipeline.database)).match("?", "?", recording_mbid=RECORDING.upper())
    assert listened == Match("t0", Method.MBID)
    untitled = [document for document in documents.values() if document["title"] == "no tags"]
    assert [document["genre"] for document in untitled] == [None]
    [copy] = [document for document in documents.values() if document["flags"]]
    assert copy["flags"] == ["duplicate:content"], "the twins of the same tags do not sound alike"
    assert {copy["path"], documents[copy["recording"]]["path"]} == {"no tags.flac", "caf%E9\n.flac"}
    assert reel["recording"] == "t0"

    tables = ("inventory", "features", "rejects", "tracks")
    before = {table: pipeline.rows(table) for table in tables}
    versions = {table: commits(pipeline, table) for table in ("inventory", "features", "rejects")}
    again = pipeline.inventory()
    assert (again.new, again.metadata_digest) == (0, report.metadata_digest)
    repeated = pipeline.extract()
    assert (repeated.work.extracted, repeated.lake) == (0, extracted.lake)
    pipeline.integrate()
    assert pipeline.publish().removed == 0
    assert {table: pipeline.rows(table) for table in tables} == before
    assert {table: commits(pipeline, table) for table in versions} == versions
    assert {document["_id"]: document for document in pipeline.database.tracks.find()} == documents


def test_a_day_is_run_without_touching_the_others(listed):
    day = Days(FIRST, FIRST)
    assert listed.extract(day).outcomes.features == 2
    assert listed.integrate(day).measured.tracks == 2
    assert listed.publish(day).tracks == 2
    listed.extract(Days(SECOND, SECOND))
    listed.integrate(Days(SECOND, SECOND))
    listed.publish(Days(SECOND, SECOND))
    assert sorted(listed.database.tracks.distinct("_id")) == ["t0", "t1", "t2", "t3"]


def test_a_day_with_nothing_in_it_is_no_error(listed):
    day = Days(date(2025, 1, 1), date(2025, 1, 1))
    extracted, report, published = listed.extract(day), listed.integrate(day), listed.publish(day)
    assert (extracted.outcomes.files, report.measured.tracks, published.tracks) == (0, 0, 0)
    assert gate.judge(report, 0, None, Settings()) == []


def test_changed_new_and_removed_files_show_and_the_partition_of_a_file_stays(published, add_sound):
    add_sound("Réels/tune no. 1.mp3", 50, title="Tune 1")
    add_sound("new.mp3", 51, title="New", artist="Late")
    (published.music / "same tags 1.mp3").unlink()
    listed = published.inventory(date(2026, 3, 9))
    assert (listed.new, listed.gone, listed.changed) == (1, 1, 1)
    days = {row["path"]: row["partition_date"] for row in published.rows("inventory")}
    assert days["new.mp3"] == date(2026, 3, 9)
    assert days["same tags 2.mp3"] == date(2026, 3, 5)

    before = published.rows("features")
    assert extraction.ping(published.lake, Days()).would_extract == 2
    assert published.rows("features") == before
    night = date(2026, 3, 9)
    nightly = Days(night, night, tuple(late_days(published.lake, night)))
    assert nightly.late == (FIRST, date(2026, 3, 5))
    extracted = published.extract(nightly)
    assert (extracted.work.extracted, extracted.skipped, extracted.outcomes.features) == (2, 6, 6)
    assert late_days(published.lake, night) == list(nightly.late), "extracted, but not merged"
    report = published.integrate(nightly)
    assert (report.measured.tracks, report.first_day, report.last_day) == (6, night, night)
    assert published.publish(nightly).removed == 1
    assert late_days(published.lake, night) == []
    assert published.database.tracks.count_documents({}) == 8


def test_a_metadata_table_that_comes_later_renames_tracks_without_extracting_them_again(pipeline):
    table = pipeline.music / "metadata.csv"
    late = table.rename(pipeline.music / "late.csv")
    table.write_text("track_id,file\n")
    pipeline.inventory()
    pipeline.extract()
    pipeline.integrate()
    pipeline.publish()
    late.rename(table)
    assert pipeline.inventory().changed == 5
    assert pipeline.extract().work.extracted == 0
    assert {"t0", "t1", "t2", "t3"} <= {row["track_id"] for row in pipeline.rows("features")}
    pipeline.integrate()
    assert pipeline.publish().removed == 4
    assert pipeline.database.tracks.count_documents({}) == 8


def writes(pipeline, table):
    """How each write of a table was made, the oldest first."""
    history = pipeline.lake.table(table).history().where("operation = 'WRITE'").collect()
    return [row["operationParameters"]["mode"] for row in reversed(history)]


def test_a_first_load_only_appends_and_days_are_replaced_only_for_files_with_an_earlier_outcome(
    listed, add_sound, monkeypatch
):
    monkeypatch.setattr(plan, "COMMIT_BYTES", 50_000)  # on two cores: three commits, all of the same few days
    listed.extract()
    first_load = writes(listed, "features")
    assert len(first_load) == 3
    assert set(first_load) == {"Append"}

    add_sound("Réels/tune no. 1.mp3", 50, title="Tune 1")
    add_sound("new.mp3", 51, title="New", artist="Late")
    (listed.music / "letter.mp3").unlink()
    add_sound("letter.mp3", 52, title="Mended")
    listed.inventory()
    extracted = listed.extract()
    assert (extracted.work.extracted, extracted.outcomes.features, extracted.outcomes.rejects) == (3, 10, 2)
    assert "Overwrite" in writes(listed, "features")[len(first_load) :]
    paths = [row["path"] for table in ("features", "rejects") for row in listed.rows(table)]
    assert len(paths) == len(set(paths)) == 12


def test_a_first_load_that_ends_between_its_two_tables_is_completed_by_the_next_run(listed, monkeypatch):
    append = Lake.append

    def ends(lake, name, *rest):
        if name == "rejects":
            raise KeyboardInterrupt
        append(lake, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", ends)
        with pytest.raises(KeyboardInterrupt):
            listed.extract()
    assert (len(listed.rows("features")), len(listed.rows("rejects"))) == (8, 0)
    extracted = listed.extract()
    assert (extracted.work.extracted, extracted.outcomes.features, extracted.outcomes.rejects) == (3, 8, 3)


def test_outcomes_that_two_runs_at_the_same_time_have_appended_are_kept_once(integrated):
    before = {table: integrated.rows(table) for table in ("features", "rejects")}
    for table in before:
        integrated.lake.append(table, integrated.lake.read(table), [FIRST, SECOND, SEEN_ON])
    assert integrated.extract().work.extracted == 0
    assert {table: integrated.rows(table) for table in before} == before


def test_force_extracts_everything_again_to_the_same_features(integrated):
    before = integrated.rows("features")
    assert integrated.extract(Days(FIRST, FIRST), Mode.FORCE).work.extracted == 2
    assert integrated.rows("features") == before


def test_a_day_where_all_is_rejected_fails_the_gate(pipeline):
    for path in [*pipeline.music.rglob("*.mp3"), *pipeline.music.rglob("*.flac")]:
        path.write_bytes(b"noise")
    pipeline.inventory()
    assert pipeline.extract().outcomes.features == 0
    assert failed(pipeline.integrate()) == ["tracks", "share of files rejected", f"rejected on {SEEN_ON}"]


def test_the_collection_refuses_what_is_no_track(published):
    track = published.database.tracks.find_one("t0")
    for wrong in ({"title": None}, {"features": track["features"][1:]}, {"partition_date": "yesterday"}):
        with pytest.raises(WriteError, match="failed validation"):
            published.database.tracks.replace_one({"_id": "t0"}, track | wrong)
    assert published.database.tracks.find_one("t0") == track


def test_files_that_were_only_touched_are_not_decoded_again(integrated):
    before = {table: integrated.rows(table) for table in ("features", "rejects")}
    altered = integrated.music / "no tags.flac"
    content = bytearray(altered.read_bytes())
    content[-5_000] ^= 1  # of the same size
    altered.write_bytes(content)
    for path in integrated.music.rglob("*.*"):
        os.utime(path, ns=(1, 1))
    found = integrated.inventory()
    assert (found.changed, found.hashed, found.moved, found.retagged) == (11, 11, 0, 0)
    extracted = integrated.extract()
    assert (extracted.work.extracted, extracted.skipped) == (2, 9), "and the empty file"
    assert integrated.inventory().hashed == 0
    assert integrated.extract().work.extracted == 0
    now = {row["path"]: row.asDict() for table in before for row in integrated.rows(table)}
    then = {row["path"]: row.asDict() | {"mtime_ns": 1} for rows in before.values() for row in rows}
    assert {path for path in now if now[path] != then[path]} == {"no tags.flac"}


def test_a_file_without_a_known_track_and_a_copy_take_the_metadata_of_their_content(integrated):
    [moved] = [row for row in integrated.rows("features") if row["track_id"] == "t0"]
    shutil.rmtree(integrated.lake.uri)
    integrated.lake = Lake(integrated.lake.spark, integrated.lake.uri)
    table = integrated.music / "metadata.csv"
    header, *lines = table.read_text().splitlines()
    lines = [f"{line}," + (moved["content_hash"].upper() if line.startswith("t0,") else "") for line in lines]
    table.write_text("\n".join([f"{header},content_hash", *lines, ""]))
    (integrated.music / moved["path"]).rename(integrated.music / "moved.mp3")
    shutil.copy(integrated.music / "Réels/tune no. 1.mp3", integrated.music / "copy.mp3")
    integrated.inventory()
    integrated.extract()
    report = integrated.integrate()
    assert report.measured.changes["metadata_by_content"] == 2
    rows = {row["path"]: row for row in integrated.rows("tracks")}
    assert [rows[path]["type"] for path in ("moved.mp3", "copy.mp3")] == ["instrumental"] * 2
    assert [rows[path]["title"] for path in ("moved.mp3", "copy.mp3")] == ["Tune 0", "Tune 1"]
    assert rows["no tags.flac"]["type"] is None


def test_a_table_that_spells_files_in_another_way_gives_the_same_tracks(integrated):
    before = integrated.rows("tracks")
    table = integrated.music / "metadata.csv"
    text = unicodedata.normalize("NFD", table.read_text())
    table.write_text(text.replace("Réels/tune".replace("é", "e\u0301"), ".\\RE\u0301ELS\\Tune"))
    assert "RE\u0301ELS" in table.read_text()
    again = integrated.inventory()
    assert (again.with_metadata, again.changed, again.gone) == (5, 0, 0)
    integrated.integrate()
    assert integrated.rows("tracks") == before


def test_a_table_of_which_no_row_finds_a_file_is_refused(pipeline):
    (pipeline.music / "metadata.csv").write_text("track_id,file\n1,nowhere.mp3\n")
    with pytest.raises(CorpusError, match=r"None of the 1 rows .* 'nowhere.mp3'; the folder has "):
        pipeline.inventory()
    assert pipeline.rows("inventory") == []


def test_files_that_were_away_while_they_were_to_be_read_are_extracted_when_they_are_back(listed):
    away = listed.music.rename(listed.music.with_name("away"))
    gone = listed.extract()
    assert (gone.outcomes.features, gone.outcomes.rejected, gone.to_retry) == (0, {"NOT_FOUND": 11}, 10)
    away.rename(listed.music)
    assert listed.inventory().changed == 0
    extracted = listed.extract()
    assert (extracted.outcomes.features, extracted.outcomes.rejects, extracted.to_retry) == (8, 3, 0)


def test_what_another_run_has_found_since_the_extraction_is_extracted_before_the_merge(
    first_run, extracted, add_sound
):
    pipeline, extracted = extracted, first_run.reports.extract
    assert extraction.catch_up(pipeline.lake, pipeline.music, Days(), extracted) is None
    add_sound("late.mp3", 9)
    pipeline.inventory()  # of the other run
    both = extraction.catch_up(pipeline.lake, pipeline.music, Days(), extracted)
    assert (both.outcomes.files, both.work.extracted, both.skipped, both.outcomes.rejects) == (12, 12, 0, 3)
    assert both.work.extracting_s > extracted.work.extracting_s > 0
    assert 0 < both.work.cores_busy <= 1
    assert extraction.catch_up(pipeline.lake, pipeline.music, Days(), both) is None
    assert failed(pipeline.integrate(), both.outcomes.files) == []


def test_days_whose_lake_was_lost_before_they_were_merged_are_not_published(first_run, pipeline):
    extracted = first_run.reports.extract
    assert extraction.catch_up(pipeline.lake, pipeline.music, Days(), extracted) is None
    assert "files, of those at the extraction" in failed(pipeline.integrate(), extracted.outcomes.files)
    pipeline.inventory()
    pipeline.extract()
    assert pipeline.integrate().measured.tracks == 8


@pytest.mark.parametrize(
    ("tags", "note"),
    [({"artist": "Solo", "genre": "Reel"}, "none"), ({}, "No track has a genre. Tag the files")],
    ids=["a single artist", "no genre at all"],
)
def test_a_corpus_of_one_artist_or_without_any_genre_is_published_and_so_is_its_rerun(
    pipeline, add_sound, tags, note
):
    shutil.rmtree(pipeline.music)
    for number in range(6):
        add_sound(f"{number}.mp3", number, title=f"Tune {number}", **tags)
    (pipeline.music / "metadata.csv").write_text("track_id,file\n")
    for _ in range(2):
        reports = pipeline.run_all()
        assert failed(reports.integrate) == []
        total = outcome(reports, 1.0)
        assert (total.files_in, total.tracks_out, total.rejects) == (6, 6, 0)
        assert total.note.startswith(note)
        assert pipeline.database.tracks.count_documents({}) == 6
