"""Brokers as others run them: one or more KRaft nodes on 127.0.0.1, with TLS, SCRAM and client certificates."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization

from segue.settings import Settings
from segue.stack import jars, ports, prerequisites

CLUSTER_ID = "c2VndWUtdGVzdHMtMTIzNA"
USER, PASSWORD = "segue", "a p@ss/word+1"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass
class Certificates:
    """An authority of the test's own, and what it has signed, as files."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.ca = self.folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Sign a certificate; return its file and the file of its key, in the form that OpenSSL writes."""
        issued = self.authority.issue_cert(name, common_name=name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        key.chmod(0o600)
        return certificate, key

    def keystore(self, name: str) -> Path:
        """Sign a certificate; return one file with it and its key, as a broker reads it."""
        certificate, key = self.issue(name)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        store = self.folder / f"{name}.keystore.pem"
        store.write_bytes(loaded.private_bytes(*form) + certificate.read_bytes())
        return store


@dataclass
class Brokers:
    """A cluster. Broker `n` has the index `n - 1`."""

    folder: Path
    jars: Settings
    count: int = 1
    protocol: str = "PLAINTEXT"
    certificates: Certificates | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=lambda: {USER: PASSWORD})

    def __post_init__(self) -> None:
        self.ports = ports.find_free(3 * self.count)
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports[: self.count])

    def start(self) -> None:
        for number in range(self.count):
            self._format(number)
        for number in range(self.count):
            self.processes.append(self._run(number))
        for number in range(self.count):
            self._wait(number)

    def start_again(self, number: int) -> None:
        self.processes[number] = self._run(number)
        self._wait(number)

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes[number].wait()

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def _java(self) -> list[str]:
        classpath = ":".join(str(path) for path in jars.paths(self.jars, "kafka"))
        heap = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        log4j = self.folder / "log4j2.properties"
        log4j.write_text(
            "rootLogger.level=warn\nrootLogger.appenderRef.o.ref=o\nappender.o.type=Console\nappender.o.name=o\n"
            "appender.o.layout.type=PatternLayout\nappender.o.layout.pattern=%d %p %m (%c{1})%n\n"
        )
        return [prerequisites.java(), *heap, f"-Dlog4j2.configurationFile={log4j}", "-cp", classpath]

    def _format(self, number: int) -> None:
        text = "".join(f"{key}={value}\n" for key, value in self._properties(number).items())
        self._file(number).write_text(text.replace("\\", "\\\\"))
        command = [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={CLUSTER_ID}"]
        for user, password in self.users.items() if self.protocol.startswith("SASL") else ():
            command += ["--add-scram", f'SCRAM-SHA-512=[name="{user}",password="{password}"]']
        subprocess.run([*command, "-c", str(self._file(number))], check=True, capture_output=True)

    def _run(self, number: int) -> subprocess.Popen[bytes]:
        with (self.folder / f"broker-{number + 1}.log").open("ab") as log:
            command = [*self._java(), "kafka.Kafka", str(self._file(number))]
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _wait(self, number: int) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and self.processes[number].poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.ports[number]), timeout=1).close()
                return
            time.sleep(0.2)
        raise AssertionError((self.folder / f"broker-{number + 1}.log").read_text())

    def _file(self, number: int) -> Path:
        return self.folder / f"broker-{number + 1}.properties"

    def _properties(self, number: int) -> dict[str, Any]:
        clients, inner, controllers = (self.ports[i * self.count : (i + 1) * self.count] for i in range(3))
        voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controllers))
        replicas = min(3, self.count)
        return {
            "process.roles": "broker,controller",
            "node.id": number + 1,
            "controller.quorum.voters": voters,
            "listeners": f"CLIENTS://127.0.0.1:{clients[number]},INNER://127.0.0.1:{inner[number]},"
            f"CONTROLLER://127.0.0.1:{controllers[number]}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INNER",
            "listener.security.protocol.map": f"CLIENTS:{self.protocol},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder / f"data-{number + 1}",
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 3,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "broker.session.timeout.ms": 4000,
            "broker.heartbeat.interval.ms": 800,
            "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            **self._security(),
            **self.more,
        }

    def _security(self) -> dict[str, Any]:
        listener, made = "listener.name.clients", {}
        if self.protocol.startswith("SASL"):
            made[f"{listener}.sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
            made[f"{listener}.scram-sha-512.sasl.jaas.config"] = SCRAM
        if self.protocol.endswith("SSL"):
            assert self.certificates is not None
            made |= {
                f"{listener}.ssl.keystore.type": "PEM",
                f"{listener}.ssl.keystore.location": str(self.certificates.keystore("127.0.0.1")),
                f"{listener}.ssl.truststore.type": "PEM",
                f"{listener}.ssl.truststore.location": str(self.certificates.ca),
                f"{listener}.ssl.client.auth": "required" if self.protocol == "SSL" else "none",
            }
        return made


@contextmanager
def running(brokers: Brokers) -> Iterator[Brokers]:
    """Run a cluster while the block runs."""
    brokers.folder.mkdir(parents=True, exist_ok=True)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.stop()
