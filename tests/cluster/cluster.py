"""A cluster of nodes on this machine, each service on one of its own, that share nothing but an object store.

The services are those of docker-compose.yml with three brokers, and in addition an object store, a second Spark
worker, and a worker of Celery with Redis. Kafka and MongoDB speak TLS and ask for a password. Music, lake and
models are in the store, Airflow's and Optuna's data in PostgreSQL. Tasks, and with them Spark's drivers, run on
the node of Celery's worker, which serves their logs.
"""

from __future__ import annotations

import base64
import copy
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import image, nodes, stand_ins
from tests.cluster.services import Services, on_nodes
from tests.support import compose
from tests.support.brokers import SCRAM, Certificates

from segue.settings import get_settings

BUCKET = "segue"
TASKS = "airflow-worker"
"""The node on which tasks run, and with them Spark's drivers."""

EVERYTHING = (
    TASKS,
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "spark-worker",
    "spark-worker-2",
    "listens-api",
    "live",
)
"""With what they depend on, these are all services."""

_CERTIFICATES = "/etc/segue"
_BROKERS = ("kafka", "kafka-2", "kafka-3")
_WORKER = {"WORKER_CORES": "1", "DRIVER_MEMORY_MB": "1024", "EXECUTOR_MEMORY_MB": "1024"}
_USER = "segue"


@contextmanager
def running(music: Path, disk: Path) -> Iterator[Services]:
    """Start a cluster with the music in its store, and remove it afterwards.

    Parameters
    ----------
    music : Path
        Folder of audio files.
    disk : Path
        A mounted `tests.cluster.image.disk`, for what the nodes write.

    Yields
    ------
    Services
        All of them run.
    """
    folder = disk / "cluster"
    nodes.remove(folder)
    (folder / "certificates").mkdir(parents=True)
    described = describe(music, Certificates(folder / "certificates"))
    registry = image.build("mlflow", disk)
    described["mlflow"]["command"] = _with_artifacts(registry.command, f"s3://{BUCKET}/models")
    images = {described["live"]["image"]: image.checkout(disk), described["mlflow"]["image"]: registry}
    try:
        with on_nodes(described, images, folder) as services:
            services.up("s3", "postgres")
            _make_database(services, "tuning")
            _fill_store(services)
            services.launch(*_BROKERS)  # they elect a controller
            services.up(*_BROKERS, *EVERYTHING)
            yield services
    finally:
        nodes.remove(folder)


def describe(music: Path, certificates: Certificates) -> dict[str, Any]:
    """Return the services, in the form of docker-compose.yml."""
    variables = compose.example() | compose.BROKERS | _WORKER
    variables |= {"MUSIC_DIR": str(music), "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode()}
    variables |= {name: secrets.token_hex(48) for name in ("AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET")}
    password = secrets.token_hex(8)
    described = compose.services(variables, "brokers")
    described["spark-worker-2"] = copy.deepcopy(described["spark-worker"])
    store = {"AWS_ENDPOINT_URL": "http://s3:9000", "AWS_REGION": "eu-central-1"}
    store |= {"AWS_ACCESS_KEY_ID": "segue", "AWS_SECRET_ACCESS_KEY": secrets.token_hex(8)}
    _run_tasks_by_celery(described)
    described["s3"] = {
        "image": "motoserver/moto:5",
        "environment": store,
        "volumes": [f"{music}:/music:ro"],
        "deploy": {"resources": {"limits": {"cpus": "1", "memory": "2g"}}},
    }
    _secure_brokers(described, certificates, password)
    _secure_mongodb(described, certificates)
    for service in described.values():
        if service["image"] == described["live"]["image"]:
            service["environment"] |= store | _places(variables, password)
            service["volumes"] = [f"{certificates.folder}:{_CERTIFICATES}:ro"]
    return described


def _run_tasks_by_celery(described: dict[str, Any]) -> None:
    """Give the tasks to a worker on a node of its own, through Redis."""
    password = secrets.token_hex(8)
    described["redis"] = {
        "image": "redis:7",
        "environment": {"REDIS_PASSWORD": password},
        "deploy": {"resources": {"limits": {"cpus": "1", "memory": "256m"}}},
    }
    worker = described[TASKS] = copy.deepcopy(described["airflow-scheduler"])
    worker["command"] = ["celery", "worker", "--concurrency", "4"]
    del worker["healthcheck"]
    worker["depends_on"]["redis"] = {"condition": "service_healthy"}
    database = worker["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    for name in (each for each in described if each.startswith("airflow-")):
        described[name]["environment"] |= {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://:{password}@redis:6379/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        }


def _places(variables: Mapping[str, str], password: str) -> dict[str, str]:
    postgres = f"postgresql+psycopg2://airflow:{variables['POSTGRES_PASSWORD']}@postgres"
    return {
        "SEGUE_MUSIC": f"s3://{BUCKET}/music",
        "SEGUE_LAKE": f"s3://{BUCKET}/lake",
        "SEGUE_JARS": str(get_settings().jars_dir),
        "SEGUE_TUNING_STORAGE": f"{postgres}/tuning",
        "SEGUE_MONGO_CA_FILE": f"{_CERTIFICATES}/authority.pem",
        "SEGUE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "SEGUE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "SEGUE_KAFKA_SASL_USERNAME": _USER,
        "SEGUE_KAFKA_SASL_PASSWORD": password,
        "SEGUE_KAFKA_SSL_CAFILE": f"{_CERTIFICATES}/authority.pem",
        "SEGUE_SPARK_CORES": "2",
        "SEGUE_AUDIO_TIMEOUT_S": "60",  # the machine is shared by all nodes
    }


def _secure_brokers(described: dict[str, Any], certificates: Certificates, password: str) -> None:
    login = f'{SCRAM.removesuffix(";")} username="{_USER}" password="{password}";'
    for name in _BROKERS:
        keystore = certificates.keystore(name)
        described[name]["environment"] |= {
            "SCRAM_USER": _USER,
            "SCRAM_PASSWORD": password,
            "KAFKA_LISTENERS": "CLIENTS://:9092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"CLIENTS://{name}:9092",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "CLIENTS",
            "KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL": "SCRAM-SHA-512",
            "KAFKA_LISTENER_NAME_CLIENTS_SASL_ENABLED_MECHANISMS": "SCRAM-SHA-512",
            "KAFKA_LISTENER_NAME_CLIENTS_SCRAM___SHA___512_SASL_JAAS_CONFIG": login,
            "KAFKA_SSL_KEYSTORE_TYPE": "PEM",
            "KAFKA_SSL_KEYSTORE_LOCATION": f"{_CERTIFICATES}/{keystore.name}",
            "KAFKA_SSL_TRUSTSTORE_TYPE": "PEM",
            "KAFKA_SSL_TRUSTSTORE_LOCATION": f"{_CERTIFICATES}/{certificates.ca.name}",
        }
        described[name]["volumes"].append(f"{certificates.folder}:{_CERTIFICATES}:ro")


def _secure_mongodb(described: dict[str, Any], certificates: Certificates) -> None:
    certificate, key = certificates.issue("mongodb")
    own = {"TLS_CERTIFICATE": f"{_CERTIFICATES}/{certificate.name}", "TLS_KEY": f"{_CERTIFICATES}/{key.name}"}
    described["mongodb"]["environment"] |= own
    described["mongodb"]["volumes"].append(f"{certificates.folder}:{_CERTIFICATES}:ro")


def _with_artifacts(command: list[str], root: str) -> list[str]:
    at = command.index("--default-artifact-root")
    return [*command[: at + 1], root, *command[at + 2 :]]


def _make_database(services: Services, name: str) -> None:
    given = services.described["postgres"]["environment"]
    login = ("env", f"PGPASSWORD={given['POSTGRES_PASSWORD']}")
    program = str(stand_ins.POSTGRES / "createdb")
    services.inside("postgres", *login, program, "-h", "postgres", "-U", given["POSTGRES_USER"], name)


def _fill_store(services: Services) -> None:
    code = (
        "import fsspec\n"
        "store = fsspec.filesystem('s3')\n"
        f"store.mkdir({BUCKET!r})\n"
        f"store.put('/music/', '{BUCKET}/music/', recursive=True)\n"
    )
    services.nodes["s3"].environment |= services.described["s3"]["environment"]
    services.inside("s3", stand_ins.PYTHON, "-c", code)
