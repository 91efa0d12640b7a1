"""The truststore of Spark's JVMs has MongoDB's CA and those that Java trusts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from segue.errors import ConfigurationError
from segue.settings import Settings
from segue.stack import spark_conf, truststore


@pytest.fixture
def secured(tmp_path: Path) -> Settings:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return Settings(home=tmp_path, mongo_uri="mongodb://host", mongo_ca_file=tmp_path / "authority.pem")


def test_java_reads_both_kinds_of_cas_from_it(secured: Settings) -> None:
    truststore.write(secured)
    keytool = shutil.which("keytool")
    assert keytool is not None
    listed = [keytool, "-list", "-storepass", truststore.PASSWORD]
    own = subprocess.run(
        [*listed, "-keystore", truststore.path(secured)], capture_output=True, text=True, check=True
    )
    java = subprocess.run([*listed, "-cacerts"], capture_output=True, text=True, check=True)
    count = own.stdout.count("trustedCertEntry")
    assert count > 1
    assert count <= java.stdout.count("trustedCertEntry") + 1
    assert truststore.path(secured).stat().st_mode & 0o777 == 0o600


def test_driver_and_executors_use_it(secured: Settings) -> None:
    properties = spark_conf.properties(secured)
    file = f"{secured.state_dir}/spark/truststore.p12"
    assert f"-Djavax.net.ssl.trustStore={file} " in properties["spark.driver.extraJavaOptions"]
    assert "-Djavax.net.ssl.trustStore=truststore.p12 " in properties["spark.executor.extraJavaOptions"]
    assert properties["spark.files"] == file
    assert "tlsCAFile" not in properties["spark.mongodb.read.connection.uri"]
    assert "tls=true" in properties["spark.mongodb.read.connection.uri"]


def test_spark_hides_what_has_a_password_in_its_logs(secured: Settings) -> None:
    hidden = re.compile(spark_conf.properties(secured)["spark.redaction.regex"])
    for name in ("spark.mongodb.write.connection.uri", "kafka.sasl.jaas.config", "kafka.ssl.keystore.key"):
        assert hidden.search(name)
    assert not hidden.search("spark.driver.memory")


def test_without_a_ca_there_is_none(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path, mongo_uri="mongodb://host")
    truststore.write(plain)
    assert not truststore.path(plain).exists()
    assert "trustStore" not in " ".join(spark_conf.properties(plain).values())
    assert "spark.files" not in spark_conf.properties(plain)


def test_a_file_that_is_no_certificate_is_named(secured: Settings) -> None:
    assert secured.mongo_ca_file is not None
    secured.mongo_ca_file.write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"SEGUE_MONGO_CA_FILE: .*authority\.pem cannot be read"):
        truststore.write(secured)
