"""docker-compose.yml as a user would start it. tests/cluster runs its services."""

from __future__ import annotations

import re

import pytest
import yaml
from tests.support import compose

from segue.settings import PROJECT_DIR, Settings
from segue.stack import kafka, memory

YEAR_MINUTES = 365 * 24 * 60
MIB = 2**20
ENV = compose.example()
EVERYTHING = compose.services(ENV | compose.BROKERS, "brokers", "tls")
OWN = {name: each for name, each in EVERYTHING.items() if each["image"].startswith("segue:")}
OPTIONAL = dict(re.findall(r"(?m)^# (\w+)=(.+)$", compose.EXAMPLE.read_text()))


def broker(name: str, services=EVERYTHING) -> dict[str, str]:
    return services[name]["environment"]


def test_every_variable_of_the_file_is_in_the_example_with_its_default():
    text = compose.FILE.read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(ENV)
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    ports = {"AIRFLOW_PORT", "API_PORT", "SPARK_UI_PORT", "MLFLOW_PORT"}
    assert set(defaults) - ports <= set(OPTIONAL) | set(ENV)
    assert set(OPTIONAL) <= set(defaults) | {"COMPOSE_PROFILES"}
    sizes = {name: value for name, value in OPTIONAL.items() if re.search("CORES|CPUS|MEMORY", name)}
    assert sizes == {name: defaults[name] for name in sizes}
    assert {name: OPTIONAL[name] for name in compose.BROKERS} == compose.BROKERS


@pytest.mark.parametrize("missing", sorted(ENV))
def test_no_secret_has_a_default(missing):
    with pytest.raises(KeyError, match=f"set {missing} in .env"):
        compose.services({name: value for name, value in ENV.items() if name != missing})


def test_nothing_starts_without_its_profile():
    assert set(EVERYTHING) - set(compose.services(ENV)) == {"kafka-2", "kafka-3", "proxy"}
    assert set(EVERYTHING) - set(compose.services(ENV, "tls")) == {"kafka-2", "kafka-3"}


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_every_service_has_limits_of_cores_and_memory(name):
    cpus, size = compose.limits(EVERYTHING[name])
    assert cpus >= 1
    assert size >= 256 * MIB


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("airflow-apiserver", "api-server"),
        ("airflow-dag-processor", "dag-processor"),
        ("airflow-triggerer", "triggerer"),
        ("airflow-scheduler", "scheduler"),
        ("listens-api", "listens-api"),
        ("live", "live"),
        ("kafka", "kafka"),
    ],
)
def test_a_container_may_use_as_much_as_the_same_service_of_the_embedded_stack(name, component):
    given = OWN.get(name, EVERYTHING["kafka"])["environment"]
    driver_mb = int(given.get("SEGUE_SPARK_DRIVER_MEMORY_MB", 2048))
    needed_mb = memory.limit_mb(Settings(spark_driver_memory_mb=driver_mb), component)
    assert compose.limits(EVERYTHING[name])[1] >= needed_mb * 10**6


def test_an_executor_with_its_python_fits_into_its_container():
    worker = EVERYTHING["spark-worker"]
    given = worker["environment"]
    cores = int(given["SPARK_WORKER_CORES"])
    heap_mb = int(given["SEGUE_SPARK_EXECUTOR_MEMORY_MB"])
    assert given["SEGUE_SPARK_EXECUTOR_CORES"] == given["SPARK_WORKER_CORES"]
    assert given["SPARK_WORKER_MEMORY"] == f"{heap_mb}m"
    cpus, size = compose.limits(worker)
    assert cpus == cores
    python_mb = cores * Settings().audio_memory_mb
    assert size >= (heap_mb + 512 + python_mb) * MIB


def test_driver_and_executors_ask_for_the_same_executor():
    asked = {
        tuple(each["environment"][f"SEGUE_SPARK_EXECUTOR_{what}"] for what in ("CORES", "MEMORY_MB"))
        for each in OWN.values()
    }
    assert asked == {("2", "2048")}


@pytest.mark.parametrize("name", ["kafka", "kafka-2", "kafka-3"])
def test_offsets_outlast_a_long_pause_of_their_group(name, tmp_path):
    in_a_container = broker(name)["KAFKA_OFFSETS_RETENTION_MINUTES"]
    assert int(in_a_container) == 10 * YEAR_MINUTES
    embedded = kafka._properties(Settings(home=tmp_path), tmp_path)
    assert embedded["offsets.retention.minutes"] == int(in_a_container)


def test_three_brokers_are_one_cluster_that_survives_the_loss_of_one():
    brokers = ["kafka", "kafka-2", "kafka-3"]
    voters = {f"{broker(name)['KAFKA_NODE_ID']}@{name}:9093" for name in brokers}
    for name in brokers:
        given = broker(name)
        assert set(given["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")) == voters
        assert given["CLUSTER_ID"] == broker("kafka")["CLUSTER_ID"]
        assert given["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{name}:9092"
        assert EVERYTHING[name]["hostname"] == name
        assert {given[key] for key in given if key.endswith("REPLICATION_FACTOR")} == {"3"}
        assert {given[key] for key in given if key.endswith(("MIN_ISR", "MIN_INSYNC_REPLICAS"))} == {"2"}
    servers = OWN["live"]["environment"]["SEGUE_KAFKA_BOOTSTRAP_SERVERS"]
    assert servers.split(",") == [f"{name}:9092" for name in brokers]


def test_one_broker_asks_for_no_second_replica():
    alone = broker("kafka", compose.services(ENV))
    counts = [key for key in alone if re.search("REPLICATION_FACTOR|MIN_ISR|MIN_INSYNC", key)]
    assert {alone[key] for key in counts} == {"1"}
    assert alone["KAFKA_CONTROLLER_QUORUM_VOTERS"] == "1@kafka:9093"


def test_no_service_keeps_what_must_last_in_its_container():
    """Models are in the lake; Optuna's studies and the heartbeat of the live members have volumes of their own."""
    for service in OWN.values():
        given = service["environment"]
        mounted = [volume.split(":")[1] for volume in service["volumes"]]
        for kept in ("SEGUE_LAKE", "SEGUE_MUSIC"):
            assert given[kept] in mounted
        assert given["SEGUE_TUNING_STORAGE"] == "sqlite:////data/tuning/tuning.db"
        assert "/data/tuning" in mounted
        assert "/opt/segue/.segue/sample/live" in mounted
    declared = yaml.safe_load(compose.FILE.read_text())["volumes"]
    used = {volume.split(":")[0] for each in EVERYTHING.values() for volume in each.get("volumes", [])}
    assert {name for name in used if "/" not in name} - {ENV["MUSIC_DIR"]} == set(declared)


def test_only_the_proxy_can_be_reached_from_other_machines():
    text = yaml.safe_load(compose.FILE.read_text())["services"]
    published = {name: each.get("ports", []) for name, each in text.items()}
    proxy = published.pop("proxy")
    assert [port for ports in published.values() for port in ports if not port.startswith("127.0.0.1:")] == []
    assert [port for port in proxy if not port.startswith("${PROXY_ADDRESS:-127.0.0.1}:")] == []


def test_forwarded_headers_are_believed_from_the_proxy_only():
    [address] = {each["ipv4_address"] for each in EVERYTHING["proxy"]["networks"].values()}
    assert EVERYTHING["listens-api"]["environment"]["SEGUE_API_PROXIES"] == address
    apiserver = EVERYTHING["airflow-apiserver"]
    assert apiserver["environment"]["FORWARDED_ALLOW_IPS"] == address
    assert "--proxy-headers" in apiserver["command"]


def test_the_proxy_leads_to_the_ports_of_api_and_airflow():
    caddyfile = (PROJECT_DIR / "docker" / "Caddyfile").read_text()
    targets = re.findall(r"reverse_proxy (\S+):(\d+)", caddyfile)
    for service, port in targets:
        assert EVERYTHING[service]["ports"][0].endswith(f":{port}")
    assert set(re.findall(r"\{\$(\w+):", caddyfile)) == set(EVERYTHING["proxy"]["environment"])


@pytest.mark.parametrize("name", sorted(OWN))
def test_services_of_segue_have_no_privileges(name):
    assert EVERYTHING[name]["cap_drop"] == ["ALL"]
    assert EVERYTHING[name]["security_opt"] == ["no-new-privileges:true"]
