"""Music, lake and models in an object store, and jobs on a Spark cluster of its own: only settings change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from pymongo.database import Database
from tests.support import onnx_models
from tests.support.api_server import eventually
from tests.support.audio_files import music, write_soundfile
from tests.support.shared_secrets import share_secrets
from tests.support.standalone import ONE_CORE, run_module, spark_cluster
from upath import UPath

from segue.audio.embedding.definition import version
from segue.audio.limits import embedding_model
from segue.connections import delta_tables
from segue.corpus.reports import ExtractReport
from segue.runs import summaries
from segue.settings import Settings
from segue.stack import jars, ports

pytestmark = pytest.mark.cluster

BUCKET = "segue"
CLIPS = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Start an object store; yield the variables of Amazon's libraries that lead there."""
    [port] = ports.find_free(1)
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "segue",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    }
    log = tmp_path_factory.mktemp("store") / "log"
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output, pytest.MonkeyPatch.context() as patch:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            for name, value in variables.items():
                patch.setenv(name, value)
            eventually(lambda: ports.fault(port))
            boto3.client("s3").create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
            )
            yield variables
        finally:
            server.terminate()
            server.wait()


def upload_clips(folder: Path, clips: int) -> None:
    """Put clips of two seconds into the store, and one file that is no audio."""
    folder.mkdir()
    client = boto3.client("s3")
    for number in range(clips):
        clip = write_soundfile(folder / f"{number:02}.ogg", music(2.0) * (0.5 + number / clips / 2))
        client.upload_file(str(clip), BUCKET, f"music/Album {number % 3}/{number:02}.ogg")
    client.put_object(Bucket=BUCKET, Key="music/damaged.ogg", Body=b"no audio")


@pytest.fixture(scope="module", params=["local[2]", "cluster"])
def here(
    request: pytest.FixtureRequest,
    settings: Settings,
    store: Mapping[str, str],  # noqa: ARG001 - where the places are
    mongo: Database[Any],  # noqa: ARG001
    kafka: object,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settings]:
    """A corpus whose places are all in the store, once for one process, once for a cluster of two workers."""
    name = "alone" if request.param == "local[2]" else "many"
    with ExitStack() as stack:
        master = request.param
        if name == "many":
            master = stack.enter_context(spark_cluster(tmp_path_factory.mktemp("cluster"))).master
        own = {
            "corpus": name,
            "mongo_database": f"segue-{name}",
            "tracks_topic": f"tracks-{name}",
            "music": UPath(f"s3://{BUCKET}/music"),
            "lake": f"s3://{BUCKET}/{name}/lake",
            "models": f"s3://{BUCKET}/{name}/models",
            "spark_master": master,
            "spark_cores": 2,
            "audio_timeout_s": 60.0,
            **ONE_CORE,
        }
        made = settings.model_copy(update=own)
        share_secrets(settings, made)
        jars.fetch(made)
        yield made


def run(settings: Settings, module: str, *arguments: str) -> str:
    """Run a module in the environment of a Spark job. Return what it prints."""
    answer = run_module(settings, module, *arguments)
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-8000:]
    return answer.stdout


def test_a_corpus_goes_from_the_store_to_the_store(here: Settings, tmp_path: Path, mongo: Database[Any]) -> None:
    upload_clips(tmp_path / "clips", CLIPS)
    run(here, "tests.support.corpus_run", "corpus/first")
    database = mongo.client[here.mongo_database]
    assert database["tracks"].count_documents({}) == CLIPS
    extracted = summaries.require("corpus/first", ExtractReport, source=database)
    assert (extracted.outcomes.files, extracted.outcomes.rejects) == (CLIPS + 1, 1)
    printed = run(here, "tests.support.corpus_run", "corpus/second")
    assert "Nothing has changed" in printed
    # delta-rs reads it, too, as the overview does.
    assert delta_tables.query(f"{here.lake_uri}/features", "SELECT count(*) AS n FROM rows") == [{"n": CLIPS}]


def test_an_embedding_model_in_the_store_reaches_the_executors(
    here: Settings, tmp_path: Path, mongo: Database[Any]
) -> None:
    model = onnx_models.moments(tmp_path / "moments.onnx")
    boto3.client("s3").upload_file(str(model), BUCKET, "moments.onnx")
    own = {"audio_embedding_model": f"s3://{BUCKET}/moments.onnx", "audio_embedding_window_s": 1.0}
    embedding = here.model_copy(update=own)
    run(embedding, "tests.support.corpus_run", "corpus/embedded")
    tracks = mongo.client[here.mongo_database]["tracks"].find({}, {"embedding": 1, "embedding_version": 1})
    found = [(np.frombuffer(track["embedding"], "<f4").shape, track["embedding_version"]) for track in tracks]
    assert found == [((2,), version(embedding_model(embedding)))] * CLIPS


def test_a_model_is_stored_promoted_and_loaded(here: Settings) -> None:
    printed = run(here, "tests.support.stored_model")
    assert f"s3a://{BUCKET}/{here.corpus}/models" in printed
    assert "5.0 ['metadata', 'stages']" in printed
