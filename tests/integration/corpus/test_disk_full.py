"""A disk that is full in the middle of a publication, with each of SecantusDB's servers that this machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pymongo import MongoClient

from segue.errors import StackError
from segue.settings import PROJECT_DIR
from segue.spark import REFUSAL
from segue.stack import documents, lifecycle, spark_conf
from segue.stack.service import State

pytestmark = pytest.mark.integration


@pytest.fixture
def own(tmp_path, settings, kafka, free_ports, each_server):  # noqa: ARG001 - the job announces what it has published
    """Let a document server run on a file system of 300 MB of its own."""
    [port] = free_ports(1)
    update = {"home": tmp_path / "home", "mongo_port": port, "document_server": each_server}
    made = settings.model_copy(update=update)
    folder = made.state_dir / "mongo"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs root, to mount a small file system")
    try:
        lifecycle.up(made, ["mongo"])
        yield made
    finally:
        lifecycle.down(made)
        subprocess.run(["umount", folder], check=True)


def publish(own, lake):
    """Run the job as its task does; return its exit code and the lines that it printed."""
    environment = os.environ | spark_conf.environment(own) | {"SEGUE_LAKE": lake, "PYTHONUNBUFFERED": "1"}
    command = [
        Path(sys.executable).with_name("spark-submit"),
        PROJECT_DIR / "spark_jobs" / "publish.py",
        *("--run-id", "corpus/test"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def fill(folder):
    """Take every byte that is left."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 65_536):
                pass
        except OSError:
            pass


def test_publishing_on_a_full_disk_ends_with_one_sentence_and_completes_once_there_is_space(integrated, own):
    service, folder = documents.service(own), own.state_dir / "mongo"
    with MongoClient(own.mongo) as client:
        client.segue.before.insert_many([{"_id": number} for number in range(1000)])
    fill(folder)

    code, lines = publish(own, integrated.lake.uri)
    assert code == 1
    assert lines[-1].startswith(
        f"{REFUSAL}The disk that holds {folder} is full (0 MB left). Free some space and run"
    )
    assert service.state() is State.UNHEALTHY
    service.stop()
    with pytest.raises(StackError, match=r"is full \(0 MB left\)\. Free some space, then run `segue up` again"):
        lifecycle.up(own, ["mongo"])

    (folder / "filler").unlink()
    lifecycle.up(own, ["mongo"])
    assert service.state() is State.HEALTHY
    code, lines = publish(own, integrated.lake.uri)
    assert code == 0, lines
    with MongoClient(own.mongo) as client:
        assert client.segue.before.count_documents({}) == 1000
        assert client.segue.tracks.count_documents({}) == integrated.lake.read("tracks").count()
