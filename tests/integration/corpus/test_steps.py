from __future__ import annotations

from datetime import UTC, datetime

import pytest
from markupsafe import escape

from segue.corpus import extraction, publications, rejected, steps
from segue.corpus.days import Days
from segue.corpus.reports import CorpusSummary, PublishReport
from segue.errors import ReportError
from segue.runs import reports, summaries
from segue.settings import get_settings

pytestmark = pytest.mark.integration
DAYS = "the first day to the last day"


@pytest.fixture
def here(pipeline):
    """Return the settings of the pipeline's folder and lake."""
    pipeline.database.drop_collection(publications.COLLECTION)
    yield get_settings().model_copy(update={"music": pipeline.music, "lake": pipeline.lake.uri})
    pipeline.database.drop_collection(publications.COLLECTION)


@pytest.fixture
def has_changed(pipeline, here):
    """Return a function that asks whether a run over all days has anything to do."""
    return lambda run, mode="skip": steps.has_changed(pipeline.database, f"corpus/{run}", DAYS, mode, here)


@pytest.fixture
def conclude(pipeline, here):
    """Return a function that ends a run over all days."""
    return lambda run: steps.conclude(pipeline.database, f"corpus/{run}", DAYS, datetime.now(UTC), here)


def keep(pipeline, run_id, made):
    for report in made.each():
        summaries.keep(f"corpus/{run_id}", report, into=pipeline.database)


def test_days_stand_published_until_a_file_or_a_table_changes(first_run, published, has_changed, conclude, capsys):
    pipeline = published
    assert has_changed("first")
    assert f"{DAYS}: not published yet from music, metadata" in capsys.readouterr().out
    keep(pipeline, "first", first_run.reports)
    conclude("first")
    assert has_changed("forced", "force")
    assert has_changed("ping", "ping")
    assert "Mode ping: the run goes on" in capsys.readouterr().out

    assert not has_changed("second")
    assert "Nothing has changed since corpus/first" in capsys.readouterr().out
    conclude("second")
    total = summaries.require("corpus/second", CorpusSummary, source=pipeline.database)
    assert (total.files_in, total.tracks_out, total.extracted) == (11, 8, 0)
    report = summaries.require("corpus/second", PublishReport, source=pipeline.database)
    assert report.unchanged_since == "corpus/first"
    page = reports.read("corpus/second", source=pipeline.database)
    assert "Nothing has changed since corpus/first, so what it published stands. 8 tracks" in page
    files = rejected.find(pipeline.lake.uri)
    assert len(files) == 3
    assert all(escape(file.path) in page and escape(file.message) in page for file in files)

    (pipeline.music / "same tags 1.mp3").touch()
    assert has_changed("touched")
    keep(pipeline, "touched", pipeline.run_all())
    conclude("touched")
    assert not has_changed("fourth")
    with (pipeline.music / "metadata.csv").open("a") as table:
        table.write("t11,same tags 2.mp3,Other\n")
    assert has_changed("renamed")


def test_a_ping_ends_with_its_report_and_leaves_no_summary(listed, conclude, capsys):
    ping = extraction.ping(listed.lake, Days())
    summaries.keep("corpus/pinged", ping, into=listed.database)
    conclude("pinged")
    assert "would_extract ............. 11" in capsys.readouterr().out
    assert summaries.find("corpus/pinged", CorpusSummary, source=listed.database) is None


def test_a_run_whose_job_has_left_no_report_is_told_which(conclude):
    with pytest.raises(ReportError, match=r"The job 'inventory' left no report of the run corpus/lost\. Clear"):
        conclude("lost")


def test_what_the_inventory_would_refuse_is_left_to_it(pipeline, has_changed, capsys):
    (pipeline.music / "metadata.csv").write_text("file")
    assert has_changed("first")
    assert "lacks the column" in capsys.readouterr().out
