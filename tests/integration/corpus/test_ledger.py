"""Outcomes that two runs at the same time leave of the same files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from segue.audio.definition import FEATURE_VERSION
from segue.corpus import ledger
from segue.corpus.lake import Lake
from segue.corpus.schema import EXTRACTED, INVENTORY, columns
from segue.errors import CorpusChangedError

pytestmark = pytest.mark.integration

DAY = date(2026, 3, 1)


def test_of_two_outcomes_of_a_file_that_which_is_of_its_present_state_stays(spark: Any, tmp_path: Path) -> None:
    lake, paths = Lake(spark, str(tmp_path)), [f"{number}.mp3" for number in range(8)]
    listed = [(f"t{path}", path, 1, 2, None, DAY, None) for path in paths]
    lake.append("inventory", spark.createDataFrame(listed, INVENTORY), [DAY])

    def extracted(mtime_ns: int, chosen: list[str]) -> None:
        row = dict.fromkeys(columns(EXTRACTED)) | {"size_bytes": 1, "mtime_ns": mtime_ns, "partition_date": DAY}
        row |= {"feature_version": FEATURE_VERSION, "content_hash": str(mtime_ns)}
        rows = [tuple((row | {"track_id": f"t{path}", "path": path}).values()) for path in chosen]
        ledger.append(lake, spark.createDataFrame(rows, EXTRACTED), [DAY])

    extracted(1, paths[:4])  # of the files as they were, before and after the other run
    extracted(2, paths)
    extracted(1, paths[4:])
    assert ledger.balance(lake, [DAY]).features == 8
    standing = lake.read("features").select("path", "mtime_ns").collect()
    assert sorted(map(tuple, standing)) == [(path, 2) for path in paths]


def test_a_file_without_an_outcome_is_an_error_after_which_the_task_is_retried(spark: Any, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path))
    lake.append("inventory", spark.createDataFrame([("t", "new.mp3", 1, 2, None, DAY, None)], INVENTORY), [DAY])
    ledger.append(lake, spark.createDataFrame([], EXTRACTED), [DAY])
    with pytest.raises(CorpusChangedError, match="0 features and 0 rejects are not the 1 files") as told:
        ledger.balance(lake, [DAY])
    assert told.value.retry_may_help
