from __future__ import annotations

import pytest
from pydantic import ValidationError

from segue.connections import object_store
from segue.settings import Settings
from segue.stack import spark_conf


@pytest.fixture(autouse=True)
def no_object_store(monkeypatch):
    for name in object_store.VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_further_properties_win_and_lists_are_joined(tmp_path):
    further = "spark.ui.enabled=true; spark.jars=/opt/a.jar;spark.driver.extraJavaOptions=-Da=1 -Db=2"
    plain, made = (spark_conf.properties(Settings(jars=tmp_path, spark_properties=text)) for text in ("", further))
    assert made["spark.ui.enabled"] == "true"
    assert made["spark.jars"] == plain["spark.jars"] + ",/opt/a.jar"
    assert made["spark.driver.extraJavaOptions"] == plain["spark.driver.extraJavaOptions"] + " -Da=1 -Db=2"


@pytest.mark.parametrize("text", ["ui.enabled=true", "spark.ui.enabled", "spark.a=1;b=2"])
def test_what_is_no_property_is_refused(text):
    with pytest.raises(ValidationError, match="spark_properties"):
        Settings(spark_properties=text)


def test_executors_of_a_cluster_reach_the_driver_and_get_the_limits_of_a_file(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of the store")
    alone = Settings(audio_timeout_s=7)
    many = alone.model_copy(update={"spark_master": "spark://host:7077", "spark_cores": 12})
    assert spark_conf.environment(alone)["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert "SPARK_LOCAL_IP" not in spark_conf.environment(many)
    made = spark_conf.properties(many)
    assert made["spark.executorEnv.SEGUE_AUDIO_TIMEOUT_S"] == "7.0"
    assert made["spark.executorEnv.AWS_ACCESS_KEY_ID"] == "of the store"
    assert (made["spark.executor.instances"], made["spark.sql.shuffle.partitions"]) == ("6", "24")
    assert not [name for name in spark_conf.properties(alone) if name.startswith("spark.executorEnv")]


def test_spark_takes_the_object_store_from_the_variables_of_amazons_libraries(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:9000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    made = spark_conf.properties(Settings(lake="s3://bucket/lake"))
    assert made["spark.hadoop.fs.s3a.endpoint"] == "http://store:9000"
    assert made["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert made["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"
    assert "hidden" not in str(made)
    assert "fs.s3a" not in str(spark_conf.properties(Settings()))


def test_both_schemes_of_an_object_store_mean_the_same():
    for scheme in ("s3", "s3a"):
        here = Settings(lake=f"{scheme}://bucket/lake", models=f"{scheme}://bucket/models")
        assert (here.lake_uri, here.models_uri) == ("s3a://bucket/lake", "s3://bucket/models")
