"""Airflow's connections to Kafka, MongoDB and Spark, derived from the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlencode, urlsplit

from segue.connections import kafka_options
from segue.settings import Settings

KAFKA, MONGO, SPARK = "kafka_default", "mongo_default", "spark_default"

Fields = Mapping[str, Any]
"""A connection as Airflow writes it in JSON: ``conn_type``, ``host``, ``port``, ``login``, …, ``extra``."""


def connections(settings: Settings) -> dict[str, Fields]:
    """Derive the connections.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to mapping
        The fields of `KAFKA`, `MONGO` and `SPARK`.
    """
    return {
        KAFKA: {"conn_type": "kafka", "extra": kafka_options.options(settings)},
        MONGO: _mongo(settings.mongo),
        SPARK: {"conn_type": "spark", "host": settings.spark_master},
    }


def places(settings: Settings) -> dict[str, str]:
    """Return where each connection leads, without logins and options.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to str
        By name of the connection: brokers, hosts, master.
    """
    made = connections(settings).items()
    return {name: fields.get("host") or fields["extra"]["bootstrap.servers"] for name, fields in made}


def variables(settings: Settings) -> dict[str, str]:
    """Return the connections as environment variables, which every component of Airflow reads.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict of str to str
        ``AIRFLOW_CONN_…``, each one line of JSON.
    """
    made = connections(settings).items()
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields, sort_keys=True) for name, fields in made}


def differences(one: Fields, other: Fields) -> list[str]:
    """Compare two connections to the same service.

    Parameters
    ----------
    one, other : mapping
        Their fields. An empty field counts as a missing one.

    Returns
    -------
    list of str
        Names of the fields and options that differ, sorted. Their values may be secret and are not listed.
    """
    stated, found = _stated(one), _stated(other)
    return sorted(name for name in stated.keys() | found.keys() if stated.get(name) != found.get(name))


def mongo_uri(fields: Fields) -> str:
    """Build the connection string from the fields of a connection to MongoDB.

    Parameters
    ----------
    fields : mapping
        As Airflow's MongoDB provider defines them. ``extra`` has the options of the connection string. Its option
        ``srv`` selects the scheme ``mongodb+srv``.

    Returns
    -------
    str
    """
    options = {name: str(value) for name, value in fields.get("extra", {}).items()}
    scheme = "mongodb+srv" if options.pop("srv", "").lower() == "true" else "mongodb"
    login, password = (quote_plus(fields.get(name) or "") for name in ("login", "password"))
    user = f"{login}:{password}@" if login else ""
    return f"{scheme}://{user}{_host(fields)}/{fields.get('schema') or ''}?{urlencode(options)}"


def _mongo(uri: str) -> Fields:
    """Split a connection string into the fields of a connection."""
    parts = urlsplit(uri)
    srv = {"srv": "true"} if parts.scheme == "mongodb+srv" else {}
    fields = {
        "conn_type": "mongo",
        "host": parts.netloc.rpartition("@")[2],
        "login": unquote_plus(parts.username or ""),
        "password": unquote_plus(parts.password or ""),
        "schema": parts.path.removeprefix("/"),
        "extra": dict(parse_qsl(parts.query)) | srv,
    }
    return {name: value for name, value in fields.items() if value}


def _stated(fields: Fields) -> dict[str, str]:
    named = {"host": _host(fields)} | {name: fields.get(name) for name in ("login", "password", "schema")}
    everything = named | dict(fields.get("extra", {}))
    return {name: "true" if value is True else str(value) for name, value in everything.items() if value}


def _host(fields: Fields) -> str:
    port = fields.get("port")
    return f"{fields.get('host') or ''}{f':{port}' if port else ''}"
