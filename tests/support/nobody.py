"""What a program of another user can do to a running stack: run as root, it becomes the user nobody.

It reads a request from standard input: ports and topic, a login that works, folders and processes of the stack. It
prints what it could do and read, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError

NOBODY = 65534
SECRET_FILES = ("secrets.json", "passwords.json", "settings.json", "server.properties", "spark-defaults.conf")


def mongo_attempts(uri: str) -> dict[str, Callable[[], object]]:
    """Read an account, take over another one, and create a user."""
    database = MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=3000)["nobody"]
    return {
        "read": lambda: database["accounts"].find_one(),
        "write": lambda: database["accounts"].replace_one({"_id": "me"}, {"token": "mine"}, upsert=True),
        "create a user": lambda: database.command("createUser", "me", pwd="mine", roles=["readWrite"]),  # noqa: S106
    }


def forge(topic: str, config: dict[str, Any]) -> None:
    """Write a listen."""
    limits = {"bootstrap_timeout_ms": 3000, "max_block_ms": 3000, "request_timeout_ms": 3000}
    producer = KafkaProducer(**config, **limits, delivery_timeout_ms=4000)
    try:
        producer.send(topic, b"forged").get(timeout=5)
    finally:
        producer.close(timeout=0)


def succeeding(attempts: dict[str, Callable[[], object]]) -> list[str]:
    """Return the names of the attempts that succeed."""
    done = []
    for name, attempt in attempts.items():
        with suppress(PyMongoError, KafkaError):
            attempt()
            done.append(name)
    return done


def strangers(request: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """List what somebody without the password can try."""
    server = f"127.0.0.1:{request['mongo_port']}/?directConnection=true"
    made = {f"{name} without a login": each for name, each in mongo_attempts(f"mongodb://{server}").items()}
    guessed = mongo_attempts(f"mongodb://segue:segue@{server}").items()
    made |= {f"{name} with a guessed password": each for name, each in guessed}
    logins: dict[str, dict[str, str]] = {"without a login": {}}
    for mechanism, user in (("PLAIN", "broker"), ("PLAIN", "segue"), ("SCRAM-SHA-256", "segue")):
        logins[f"as {user} by {mechanism}"] = {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": user,
        }
    for name, login in logins.items():
        config = {"bootstrap_servers": f"127.0.0.1:{request['kafka_port']}", **login}
        made[f"forge {name}"] = lambda config=config: forge(request["topic"], config)  # type: ignore[misc]
    return made


def readable(folders: list[str]) -> Iterator[str]:
    """Yield the files that can be opened, and the folders that can be listed."""
    for folder in map(Path, folders):
        with suppress(OSError):
            yield from map(str, folder.iterdir())
        for name in SECRET_FILES:
            with suppress(OSError):
                (folder / name).read_bytes()
                yield f"{folder}/{name}"


def main() -> None:
    """Try everything with the login of the stack, then as nobody without it."""
    request = json.load(sys.stdin)
    with_login = mongo_attempts(request["mongo"]) | {"forge": lambda: forge(request["topic"], request["kafka"])}
    possible = succeeding(with_login)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    environments = [f"/proc/{pid}/environ" for pid in request["pids"]]
    read = list(readable(request["folders"]))
    for path in environments:
        with suppress(OSError):
            Path(path).read_bytes()
            read.append(path)
    shown = [Path(f"/proc/{pid}/cmdline").read_text(errors="replace") for pid in request["pids"]]
    print(json.dumps({"possible": possible, "done": succeeding(strangers(request)), "read": read, "shown": shown}))


if __name__ == "__main__":
    main()
