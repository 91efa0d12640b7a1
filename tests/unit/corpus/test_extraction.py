"""A job that fails on a file names it in its last line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from upath import UPath

from segue.connections.spark import workers_error
from segue.corpus import extraction
from segue.corpus.extraction import extract_files
from segue.corpus.progress import Counters
from segue.errors import ServiceUnavailableError


def test_an_error_that_ends_the_job_names_the_file(spark, tmp_path):
    """The temporary copy of the object would have a name of more than 255 bytes."""
    name = "a." + "m" * 252
    (tmp_path / name).write_bytes(b"1")
    file = {"track_id": "t", "path": name, "size_bytes": 1, "mtime_ns": 1, "partition_date": None}
    extract = extract_files(UPath(f"file://{tmp_path}"), Counters.start(spark.sparkContext))
    with pytest.raises(ServiceUnavailableError, match=rf"ended at '{name}': OSError: .*File name too long"):
        list(extract(iter([pa.RecordBatch.from_pylist([file])])))


def fail(batches):
    for _ in batches:
        raise ServiceUnavailableError("The extraction ended at 'B/x.mp3': OSError: gone.\nThe store said:\nno")
        yield


def fail_otherwise(batches):
    for _ in batches:
        raise ZeroDivisionError
        yield


def test_the_error_of_a_worker_reaches_the_driver_without_the_traces_around_it(spark):
    with pytest.raises(PySparkException) as raised:
        spark.range(1).mapInArrow(fail, "id bigint").localCheckpoint()
    error = workers_error(raised.value)
    assert type(error) is ServiceUnavailableError
    assert str(error) == "The extraction ended at 'B/x.mp3': OSError: gone.\nThe store said:\nno"


def test_other_errors_of_workers_are_not_explained(spark):
    with pytest.raises(PySparkException, match="ZeroDivisionError") as raised:
        spark.range(1).mapInArrow(fail_otherwise, "id bigint").localCheckpoint()
    assert workers_error(raised.value) is None


def test_the_extraction_uses_no_parser_outside_the_child():
    """Tags once crashed the Spark worker. Decoders and mutagen belong into `segue.audio`, which the child runs."""
    imported = Path(extraction.__file__).read_text()
    assert not any(name in imported for name in ("mutagen", "soundfile", "import av"))
