from __future__ import annotations

from datetime import UTC, datetime

import pytest

from segue.corpus import publications, steps
from segue.runs import summaries
from segue.settings import get_settings

pytestmark = pytest.mark.integration


@pytest.fixture
def here(pipeline):
    """Return the settings of the pipeline's folder and lake."""
    pipeline.database.drop_collection(publications.COLLECTION)
    yield get_settings().model_copy(update={"music": pipeline.music, "lake": pipeline.lake.uri})
    pipeline.database.drop_collection(publications.COLLECTION)


@pytest.fixture
def has_changed(pipeline, here):
    """Return a function that asks whether a run over all days has anything to do."""
    return lambda run, mode="skip": steps.has_changed(pipeline.database, f"corpus/{run}", "all", mode, here)


@pytest.fixture
def conclude(pipeline, here):
    """Return a function that ends a run over all days."""
    return lambda run: steps.conclude(pipeline.database, f"corpus/{run}", "all", datetime.now(UTC), here)


def run_all(pipeline, run_id):
    for job in publications.JOBS:
        summaries.write(f"corpus/{run_id}", job, getattr(pipeline, job)(), into=pipeline.database)


def test_days_stand_published_until_a_file_or_a_table_changes(pipeline, has_changed, conclude, capsys):
    assert has_changed("first")
    assert "all: not published yet from music, metadata" in capsys.readouterr().out
    run_all(pipeline, "first")
    conclude("first")
    assert has_changed("forced", "force")
    assert has_changed("ping", "ping")
    assert "Mode ping: the run goes on" in capsys.readouterr().out

    assert not has_changed("second")
    assert "Nothing has changed since corpus/first" in capsys.readouterr().out
    conclude("second")
    told = summaries.read("corpus/second", source=pipeline.database)
    assert told["summary"] | {"files_in": 11, "tracks_out": 8, "extracted": 0} == told["summary"]
    assert "unchanged_since" in told["extract"]

    (pipeline.music / "same tags 1.mp3").touch()
    assert has_changed("touched")
    run_all(pipeline, "touched")
    conclude("touched")
    assert not has_changed("fourth")
    with (pipeline.music / "metadata.csv").open("a") as table:
        table.write("t11,same tags 2.mp3,Other\n")
    assert has_changed("renamed")


def test_what_the_inventory_would_refuse_is_left_to_it(pipeline, has_changed, capsys):
    (pipeline.music / "metadata.csv").write_text("file")
    assert has_changed("first")
    assert "lacks the column" in capsys.readouterr().out
