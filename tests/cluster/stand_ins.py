"""Programs of this machine for the services of other projects, with the settings of docker-compose.yml."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.nodes import Node

from segue.settings import PROJECT_DIR

Environment = Mapping[str, str]

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), Path("/usr/lib/postgresql/missing/bin"))
KAFKA_JARS = PROJECT_DIR / ".segue" / "jars" / "kafka"
PYTHON = str(PROJECT_DIR / ".venv" / "bin" / "python")
SECANTUS = PROJECT_DIR / ".venv" / "bin" / "secantusd-py"
NO_PROPERTIES = ("KAFKA_HEAP_OPTS",)
LETTERS = {"_": ".", "__": "_", "___": "-"}
"""How Kafka's image writes a property's name as a variable."""


@dataclass(frozen=True)
class StandIn:
    """How a service is prepared, with the command that then runs, and how to know that it is ready."""

    prepare: Callable[[Node, Environment], list[str]]
    is_ready: Callable[[Node, Environment], tuple[bool, str]]


def missing() -> list[str]:
    """Return the programs that are not installed."""
    there = {"PostgreSQL": POSTGRES.exists(), "Redis": shutil.which("redis-server")}
    return [name for name, found in there.items() if not found]


def _postgres(node: Node, given: Environment) -> list[str]:
    data, password = "/var/lib/postgresql/data", shlex.quote(given["POSTGRES_PASSWORD"])
    user, database = given["POSTGRES_USER"], given["POSTGRES_DB"]
    _prepare(
        node,
        f"""
        test -e {data}/PG_VERSION && exit
        chown postgres {data} && chmod 700 {data} && cd / && umask 077
        printf %s {password} > /tmp/password && chown postgres /tmp/password
        as() {{ setpriv --reuid postgres --regid postgres --clear-groups -- "$@"; }}
        as {POSTGRES}/initdb -D {data} -U {user} --auth=scram-sha-256 --pwfile=/tmp/password
        echo "host all all all scram-sha-256" >> {data}/pg_hba.conf
        echo 'CREATE DATABASE "{database}"' | as {POSTGRES}/postgres --single -D {data} postgres
        """,
    )
    rights = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
    return [*rights, f"{POSTGRES}/postgres", "-D", data, "-c", "listen_addresses=*", "-k", data]


def _kafka(node: Node, given: Environment) -> list[str]:
    """Write properties as the image does: KAFKA_LOG_DIRS becomes log.dirs. Format the folder with CLUSTER_ID.

    A folder that is formatted already stays as it is. With SCRAM_USER and SCRAM_PASSWORD, the brokers know this
    user.
    """
    properties = {
        re.sub("_+", lambda found: LETTERS[found[0]], name.removeprefix("KAFKA_").lower()): value
        for name, value in given.items()
        if name.startswith("KAFKA_") and name not in NO_PROPERTIES
    }
    file = node.root / "tmp" / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    java = f"java {given['KAFKA_HEAP_OPTS']} -cp '{KAFKA_JARS}/*'"
    storage = f"{java} kafka.tools.StorageTool format --ignore-formatted --cluster-id={given['CLUSTER_ID']}"
    if "SCRAM_USER" in given:
        user = f'SCRAM-SHA-512=[name="{given["SCRAM_USER"]}",password="{given["SCRAM_PASSWORD"]}"]'
        storage += f" --add-scram {shlex.quote(user)}"
    _prepare(node, f"{storage} -c /tmp/server.properties")
    return ["sh", "-c", f"exec {java} kafka.Kafka /tmp/server.properties"]


def _mongodb(node: Node, given: Environment) -> list[str]:
    """Make the user while the server listens to its own node only, as the image does.

    With TLS_CERTIFICATE and TLS_KEY, the server then speaks TLS.
    """
    server = f"{SECANTUS} --standalone --storage-path /data/db --log-level WARNING --port"
    create = (
        "import pymongo, sys, time\n"
        "client = pymongo.MongoClient('mongodb://127.0.0.1:27018/?directConnection=true')\n"
        "client.admin.command('createUser', sys.argv[1], pwd=sys.argv[2], roles=['root'],"
        " mechanisms=['SCRAM-SHA-256'])\n"
    )
    user = shlex.join([given["MONGO_INITDB_ROOT_USERNAME"], given["MONGO_INITDB_ROOT_PASSWORD"]])
    _prepare(node, f"{server} 27018 & {PYTHON} -c {shlex.quote(create)} {user}; kill %1; wait")
    tls = ["--tls-cert-file", given["TLS_CERTIFICATE"], "--tls-key-file", given["TLS_KEY"]]
    secured = shlex.join(tls) if "TLS_CERTIFICATE" in given else ""
    return ["sh", "-c", f"exec {server} 27017 --host 0.0.0.0 --auth {secured}"]


def _object_store(node: Node, _given: Environment) -> list[str]:
    _prepare(node, "true")
    return [PYTHON, "-m", "moto.server", "--host", node.address, "--port", "9000"]


def _redis(node: Node, given: Environment) -> list[str]:
    _prepare(node, "true")
    # Without a protected mode, because it would refuse other nodes in spite of the password.
    return ["redis-server", "--save", "", "--protected-mode", "no", "--requirepass", given["REDIS_PASSWORD"]]


def _prepare(node: Node, script: str) -> None:
    node.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LANG": "C.UTF-8"}
    answer = node.run(["bash", "-ec", script])
    assert answer.returncode == 0, f"{node.name} cannot be prepared: {answer.stdout}"


def _listens(port: int) -> Callable[[Node, Environment], tuple[bool, str]]:
    def is_ready(node: Node, _given: Environment) -> tuple[bool, str]:
        answer = node.run(["bash", "-c", f"</dev/tcp/{node.address}/{port}"], timeout=30)
        return answer.returncode == 0, answer.stdout

    return is_ready


OF = {
    "postgres": StandIn(_postgres, _listens(5432)),
    "apache/kafka": StandIn(_kafka, _listens(9092)),
    "mongo": StandIn(_mongodb, _listens(27017)),
    "redis": StandIn(_redis, _listens(6379)),
    "motoserver/moto": StandIn(_object_store, _listens(9000)),
}
"""By the name of the image in docker-compose.yml."""
