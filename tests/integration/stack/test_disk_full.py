"""A disk that is full in the middle of writing, with each of SecantusDB's servers that this machine has."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
from pymongo import MongoClient, ReplaceOne
from pymongo.errors import PyMongoError

from segue import disk
from segue.errors import StackError
from segue.stack import documents, lifecycle
from segue.stack.service import State

pytestmark = pytest.mark.integration

BATCH = 500
BATCHES = 10


@pytest.fixture
def own(tmp_path, settings, free_ports, each_server):
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


def publish(own, batches):
    """Replace documents by their ids, as publish does; yield how many have been acknowledged."""
    with MongoClient(own.mongo) as client:
        for batch in batches:
            tracks = [
                {"_id": number, "features": np.random.default_rng(number).bytes(2072)}
                for number in range(batch * BATCH, (batch + 1) * BATCH)
            ]
            client.segue.tracks.bulk_write(
                [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in tracks]
            )
            yield (batch + 1) * BATCH


def fill(folder, left_bytes):
    """Leave so much of the disk."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with (folder / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - left_bytes)


def test_a_full_disk_is_told_as_one_sentence_and_the_rerun_completes_once_there_is_space(own):
    service, folder = documents.service(own), own.state_dir / "mongo"
    acknowledged = list(publish(own, range(2)))
    fill(folder, left_bytes=3_000_000)
    with pytest.raises(PyMongoError) as failed:
        acknowledged.extend(publish(own, range(2, BATCHES)))
    told = disk.explanation(failed.value, folder)
    assert told.startswith(f"Disk full: {folder} has ")
    assert "supervisor then restarts what has stopped writing" in told
    assert service.state() is State.UNHEALTHY

    service.stop()
    (folder / "rest").write_bytes(b"x" * (os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize))
    with pytest.raises(StackError, match=r"has 0 MB left\. Free some space, then run `segue up` again"):
        lifecycle.up(own, ["mongo"])

    (folder / "filler").unlink()
    (folder / "rest").unlink()
    lifecycle.up(own, ["mongo"])
    with MongoClient(own.mongo) as client:
        assert client.segue.tracks.count_documents({}) >= acknowledged[-1]
    assert list(publish(own, range(BATCHES)))[-1] == BATCH * BATCHES
    with MongoClient(own.mongo) as client:
        assert client.segue.tracks.count_documents({}) == BATCH * BATCHES
