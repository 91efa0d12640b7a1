"""Files move, change their tags and go; the job that finds this is killed after each of its writes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import mutagen
import pandas as pd
import pytest
from tests.support.audio_files import music, write_soundfile

from segue.corpus import extraction, inventory
from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.listing import list_audio
from segue.corpus.metadata import settle
from segue.corpus.plan import Mode
from segue.settings import PROJECT_DIR, Settings
from segue.stack import spark_conf

pytestmark = pytest.mark.integration

SEEN_ON = date(2026, 3, 10)
NO_METADATA = settle(pd.DataFrame(columns=["track_id", "file"]), SEEN_ON)

WRITES = (
    *("features of recognised tracks", "rejects of recognised tracks", "departed tracks", "inventory"),
    "tags that are read again",
)


def jobs(spark: Any, root: Path, lake_uri: Path) -> int:
    """Do what the tasks `inventory` and `extract` do. Return the number of files that were decoded."""
    lake = Lake(spark, str(lake_uri))
    inventory.update(lake, list_audio(root), NO_METADATA, SEEN_ON, Settings())
    return extraction.run(lake, root, Days(), Mode.SKIP).work.extracted


def killed_after(writes: int, spark: Any, root: Path, lake_uri: Path) -> None:
    """Run `jobs`, and end this process as a loss of power would, after so many writes."""
    done = 0

    def counted(write: Any) -> Any:
        def counting(*arguments: Any) -> None:
            nonlocal done
            write(*arguments)
            done += 1
            if done == writes:
                os.kill(os.getpid(), signal.SIGKILL)

        return counting

    Lake.upsert, Lake.replace = counted(Lake.upsert), counted(Lake.replace)  # type: ignore[method-assign]
    inventory._merge = counted(inventory._merge)
    jobs(spark, root, lake_uri)


def state(spark: Any, lake_uri: Path) -> dict[str, Any]:
    """Return what the tables say of each track."""
    lake = Lake(spark, str(lake_uri))
    names = {
        "inventory": ("partition_date",),
        "features": ("content_hash", "audio_hash", "tag_title", "tags_version", "features"),
        "rejects": ("content_hash", "reason"),
        "departed": ("content_hash", "first_seen"),
    }
    return {
        table: sorted(lake.read(table).select("track_id", "path", *columns).collect())
        for table, columns in names.items()
    }


@pytest.fixture
def library(spark: Any, tmp_path: Path) -> Path:
    """Return a folder with a lake of the version before, and music that has changed since."""
    root, lake = tmp_path / "music", tmp_path / "lake"
    root.mkdir()
    for number, name in enumerate(("moved", "retagged", "gone", "same"), 1):
        write_soundfile(root / f"{name}.flac", music(1.0 + number / 10))
    (root / "letter.mp3").write_text("Dear Sir, " * 100)
    jobs(spark, root, lake)
    Lake(spark, str(lake)).table("features").update(set={"tags_version": "NULL"})
    (root / "moved.flac").rename(root / "away.flac")
    (root / "letter.mp3").rename(root / "a letter.mp3")
    (root / "gone.flac").unlink()
    file = mutagen.File(root / "retagged.flac", easy=True)
    file["title"] = ["Another"]
    file.save()
    return tmp_path


def test_a_kill_after_any_write_changes_nothing_of_what_the_next_run_leaves(
    spark: Any, settings: Settings, library: Path, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("kills"):
        pytest.skip("five drivers, several minutes: run it with --kills 1")
    root = library / "music"
    shutil.copytree(library / "lake", library / "undisturbed")
    assert jobs(spark, root, library / "undisturbed") == 0
    expected = state(spark, library / "undisturbed")
    assert {table: len(rows) for table, rows in expected.items()} == {
        "inventory": 4,
        "features": 3,
        "rejects": 1,
        "departed": 1,
    }
    for number, write in enumerate(WRITES, 1):
        lake = library / f"killed{number}"
        shutil.copytree(library / "lake", lake)
        child = [sys.executable, "-m", "tests.integration.corpus.test_killed_inventory", str(number), root, lake]
        environment = os.environ | spark_conf.environment(settings)
        process = subprocess.run(child, cwd=PROJECT_DIR, env=environment, capture_output=True, check=False)
        assert process.returncode == -signal.SIGKILL, process.stderr.decode()[-2_000:]
        assert jobs(spark, root, lake) == 0, write
        assert state(spark, lake) == expected, write


if __name__ == "__main__":
    from segue.connections.spark import session

    killed_after(int(sys.argv[1]), session("killed"), Path(sys.argv[2]), Path(sys.argv[3]))
