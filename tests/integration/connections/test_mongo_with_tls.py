"""A document server with TLS by a CA of its own, and a login, for Python, Airflow and Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from tests.support.api_server import eventually
from tests.support.brokers import Certificates

from segue.connections import for_airflow, mongo
from segue.settings import Settings
from segue.stack import jars, ports, services_check, spark_conf

pytestmark = pytest.mark.integration
USER, PASSWORD = "segue", "p@ss/w:rd"
JOB = """
import os
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
read = spark.read.format("mongodb").option("collection", "tracks").load()
print("read", sorted(row.title for row in read.select("title").collect()))
read.limit(1).write.format("mongodb").mode("append").option("collection", "copies").save()

from segue.tracks.reading import read_tracks

print("tracks", read_tracks(spark, "title").count())
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, settings: Settings
) -> Iterator[Settings]:
    """Run the server, with one user; return the settings of a user of it."""
    folder, [port] = tmp_path_factory.mktemp("server"), ports.find_free(1)
    certificate, key = certificates.issue("127.0.0.1")
    command = [str(Path(sys.prefix) / "bin" / "secantusd-py"), "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--storage-path",
        str(folder / "data"),
        "--cache-size",
        "100M",
        "--config",
        str(folder / "none.toml"),
    ]
    (folder / "none.toml").touch()

    def start(*more: str) -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen([*command, *more], stdout=log, stderr=log)

    def answers(uri: str) -> bool:
        with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=1000) as client:
            try:
                client.admin.command("ping")
            except PyMongoError:
                return False
            return True

    is_open = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    process = start()
    try:
        eventually(lambda: answers(is_open))
        with MongoClient[dict[str, object]](is_open) as client:
            roles = [{"role": "root", "db": "admin"}]
            client.admin.command("createUser", USER, pwd=PASSWORD, roles=roles)
        process.terminate()
        process.wait()
        process = start("--auth", "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
        made = Settings(
            **{
                **settings.model_dump(),
                "home": tmp_path_factory.mktemp("home"),
                "jars": settings.jars_dir,
                "mongo_uri": f"mongodb://{USER}:{quote_plus(PASSWORD)}@127.0.0.1:{port}/?directConnection=true"
                "&authSource=admin&w=majority&journal=true",
                "mongo_ca_file": certificates.ca,
                "mongo_database": "secured",
            }
        )
        eventually(lambda: answers(made.mongo))
        yield made
    finally:
        process.kill()
        process.wait()


def test_python_airflow_and_spark_read_and_write(secured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with mongo.client(secured.mongo) as client:
        client["secured"]["tracks"].insert_many([{"_id": "1", "title": "One"}, {"_id": "2", "title": "Two"}])

    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", for_airflow.variables(secured)["AIRFLOW_CONN_MONGO_DEFAULT"])
    from airflow.providers.mongo.hooks.mongo import MongoHook

    with MongoHook("mongo_default") as hook:
        assert hook.get_conn()["secured"]["tracks"].count_documents({}) == 2
    fields = json.loads(os.environ["AIRFLOW_CONN_MONGO_DEFAULT"])
    with mongo.client(for_airflow.mongo_uri(fields)) as client:
        assert client["secured"]["tracks"].count_documents({}) == 2

    jars.fetch(secured)
    conf = spark_conf.write(secured)
    assert {path.stat().st_mode & 0o777 for path in (conf.parent / "truststore.p12", *conf.iterdir())} == {0o600}
    environment = {**os.environ, **spark_conf.environment(secured)}
    answer = subprocess.run(
        [sys.executable, "-c", JOB], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert "read ['One', 'Two']" in answer.stdout, answer.stderr[-3000:]
    assert "tracks 2" in answer.stdout, answer.stderr[-3000:]
    assert PASSWORD not in answer.stdout + answer.stderr
    with mongo.client(secured.mongo) as client:
        assert client["secured"]["copies"].count_documents({}) == 1
    assert list(services_check.examine(secured)) == []


def test_who_is_not_let_in_is_told_why_and_what_to_do(secured: Settings, tmp_path: Path) -> None:
    def told(**changes: object) -> str:
        stranger = Settings(**{**secured.model_dump(), **changes})
        [finding] = services_check.examine(stranger)
        assert quote_plus(PASSWORD) not in finding.sentence
        return finding.sentence

    assert secured.mongo_uri is not None
    assert "refuses the login" in told(mongo_uri=secured.mongo_uri.replace(quote_plus(PASSWORD), "wrong"))
    assert "Set SEGUE_MONGO_CA_FILE" in told(mongo_ca_file=Certificates(tmp_path).ca)
    assert "Set SEGUE_MONGO_CA_FILE" in told(mongo_ca_file=None, mongo_uri=secured.mongo_uri + "&tls=true")
    by_name = secured.mongo_uri.replace("127.0.0.1", "localhost")
    assert "Name the server in SEGUE_MONGO_URI as in its certificate" in told(mongo_uri=by_name)
    assert "speaks TLS only" in told(mongo_ca_file=None)
    [port] = ports.find_free(1)
    assert "does not answer" in told(mongo_uri=f"mongodb://127.0.0.1:{port}/?directConnection=true")
    missing = told(mongo_ca_file=tmp_path / "missing.pem")
    assert "missing.pem" in missing
    assert "SEGUE_MONGO_CA_FILE" in missing
