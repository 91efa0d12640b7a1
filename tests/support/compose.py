"""Read docker-compose.yml as Docker Compose does, as far as the file needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from segue.settings import PROJECT_DIR

FILE = PROJECT_DIR / "docker-compose.yml"
EXAMPLE = PROJECT_DIR / ".env.example"

BROKERS = {
    "KAFKA_SERVERS": "kafka:9092,kafka-2:9092,kafka-3:9092",
    "KAFKA_VOTERS": "1@kafka:9093,2@kafka-2:9093,3@kafka-3:9093",
    "KAFKA_REPLICAS": "3",
    "KAFKA_MIN_IN_SYNC": "2",
}
"""What `.env` says for the profile `brokers`."""

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<rule>:[-?])(?P<rest>[^}]*))?\})")
_UNITS = {"m": 2**20, "g": 2**30}


def example() -> dict[str, str]:
    """Return the variables of `.env.example` that have to be filled in, each with a value that works."""
    names = re.findall(r"(?m)^(\w+)=$", EXAMPLE.read_text())
    return {name: f"{name.lower().replace('_', '')}0" for name in names}


def services(variables: Mapping[str, str], *profiles: str) -> dict[str, Any]:
    """Return the services that ``docker compose --profile …`` would start.

    Parameters
    ----------
    variables : mapping of str to str
        What `.env` has.
    *profiles : str

    Returns
    -------
    dict
        By name, with anchors merged, variables filled in, and the environment as strings.

    Raises
    ------
    KeyError
        If a variable is missing that the file requires. It says the file's message.
    """
    read = _filled(yaml.safe_load(FILE.read_text())["services"], variables)
    chosen = {
        name: service
        for name, service in read.items()
        if "profiles" not in service or set(service["profiles"]) & set(profiles)
    }
    for service in chosen.values():
        service["environment"] = {name: str(value) for name, value in service.get("environment", {}).items()}
    return chosen


def limits(service: Mapping[str, Any]) -> tuple[float, int]:
    """Return the cores and the bytes of memory that a service may use."""
    limited = service["deploy"]["resources"]["limits"]
    return float(limited["cpus"]), size_bytes(limited["memory"])


def size_bytes(text: str) -> int:
    """Return the bytes of a size such as ``512m``."""
    return int(text[:-1]) * _UNITS[text[-1]]


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, rule, rest = found["name"], found["rule"], found["rest"]
    if name is None:
        return "$"
    if given := variables.get(name):
        return given
    if rule == ":?":
        raise KeyError(rest)
    return rest or ""
