"""MongoDB clients, with the time limits that Segue needs. No other module opens one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConfigurationError as InvalidOptions
from pymongo.errors import ConnectionFailure, InvalidURI, OperationFailure, PyMongoError

from segue.connection_strings import stated, with_options, without_option
from segue.connections import tls_faults
from segue.errors import ConfigurationError, ServiceUnavailableError
from segue.settings import Settings, get_settings

SELECTION_TIMEOUT_MS = 10_000
SOCKET_TIMEOUT_MS = 300_000
"""Longest time without an answer before a server counts as hung. Without a limit, a client would wait forever."""

REFUSED_LOGINS = frozenset({13, 18})
"""Codes of errors: no login although one is needed, and a wrong user or password."""

CA_FILE: Final = "tlsCAFile"
"""Option of a connection string that pymongo knows and Java's driver does not."""


def client(
    uri: str,
    *,
    selection_timeout_ms: int | None = None,
    socket_timeout_ms: int | None = None,
) -> MongoClient[dict[str, Any]]:
    """Open a client; it connects when it is first used.

    Parameters
    ----------
    uri : str
        Connection string, such as that of the settings.
    selection_timeout_ms : int, optional
        Longest wait for a server that accepts requests, in milliseconds. Default: the limit in `uri`, or else
        `SELECTION_TIMEOUT_MS`.
    socket_timeout_ms : int, optional
        Longest wait for an answer, in milliseconds. Default: the limit in `uri`, or else `SOCKET_TIMEOUT_MS`.

    Returns
    -------
    pymongo.MongoClient
        Its dates have the time zone UTC. Only `uri` sets ``connectTimeoutMS``, because pymongo drops its
        connections when a heartbeat takes longer than this limit.

    Raises
    ------
    ConfigurationError
        If `uri` is no connection string, or a file that it names cannot be used.
    """
    limits = stated(uri)
    try:
        return MongoClient(
            uri,
            serverSelectionTimeoutMS=selection_timeout_ms
            or int(limits.get("serverselectiontimeoutms", SELECTION_TIMEOUT_MS)),
            socketTimeoutMS=socket_timeout_ms or int(limits.get("sockettimeoutms", SOCKET_TIMEOUT_MS)),
            tz_aware=True,
        )
    except (InvalidURI, InvalidOptions, OSError) as error:
        raise ConfigurationError(
            f"No client of MongoDB can be made: {error}. Correct SEGUE_MONGO_URI or SEGUE_MONGO_CA_FILE."
        ) from None


def for_java(uri: str) -> str:
    """Return a connection string for Java's driver.

    Parameters
    ----------
    uri : str
        Connection string, such as that of the settings.

    Returns
    -------
    str
        The same, with ``serverSelectionTimeoutMS`` and ``socketTimeoutMS`` if it does not state them. Without
        ``socketTimeoutMS``, the driver waits forever for the answer of a server that hangs. It lacks
        ``tlsCAFile``, which the driver does not know: see :func:`ca_file`.
    """
    limits = {"serverSelectionTimeoutMS": SELECTION_TIMEOUT_MS, "socketTimeoutMS": SOCKET_TIMEOUT_MS}
    return with_options(without_option(uri, CA_FILE) if CA_FILE.lower() in stated(uri) else uri, limits)


def ca_file(settings: Settings) -> Path | None:
    """Return the PEM file of the CA of MongoDB's certificates, if it is not one of the system's CAs.

    It is the one of the settings, or the ``tlsCAFile`` of the connection string.
    """
    found = stated(settings.mongo).get(CA_FILE.lower())
    return Path(found) if found else None


@contextmanager
def database(uri: str | None = None, name: str | None = None) -> Iterator[Database[Any]]:
    """Open the database of the settings.

    Parameters
    ----------
    uri : str, optional
        Connection string of the server. Default: that of the settings.
    name : str, optional
        Name of the database. Default: that of the settings. Spark's executors on a cluster do not have these, so
        they need both.

    Yields
    ------
    pymongo.database.Database

    Raises
    ------
    ServiceUnavailableError
        If no server answers, the connection breaks, or the server refuses the login.
    """
    with client(uri or get_settings().mongo) as opened:
        servers = opened.topology_description.server_descriptions()
        hosts = ", ".join(f"{host}:{port}" for host, port in servers)
        try:
            yield opened[name or get_settings().mongo_database]
        except (ConnectionFailure, OperationFailure) as error:
            if found := fault(error, hosts):
                raise found from error
            raise


def fault(error: PyMongoError, hosts: str) -> ServiceUnavailableError | None:
    """Explain why a server cannot be used, in one sentence with the remedy.

    Parameters
    ----------
    error : pymongo.errors.PyMongoError
    hosts : str
        Where the server was looked for.

    Returns
    -------
    ServiceUnavailableError or None
        None if `error` is not about connection, login or rights.
    """
    said = str(error)
    if isinstance(error, ConnectionFailure):
        return ServiceUnavailableError(_of_connection(said, hosts))
    if not isinstance(error, OperationFailure) or error.code not in REFUSED_LOGINS:
        return None
    if "not authorized" in said:
        return ServiceUnavailableError(
            f"MongoDB at {hosts} does not authorise this user: {said.partition(', full error')[0]}. Grant it the "
            "role readWrite on the database of SEGUE_MONGO_DATABASE."
        )
    return ServiceUnavailableError(
        f"MongoDB at {hosts} refuses the login. If the stack that runs is that of another corpus, start this "
        "one's with `segue up`. Otherwise correct the password in SEGUE_MONGO_URI."
    )


def _of_connection(said: str, hosts: str) -> str:
    if why := tls_faults.distrust(said):
        remedy = (
            "Name the server in SEGUE_MONGO_URI as in its certificate."
            if "match" in why
            else "Set SEGUE_MONGO_CA_FILE to the PEM file of the CA that has signed it."
        )
        return f"MongoDB at {hosts} has a certificate that is not trusted ({why}). {remedy}"
    if tls_faults.speaks_no_tls(said):
        return (
            f"MongoDB at {hosts} does not speak TLS. Unset SEGUE_MONGO_CA_FILE, and remove tls=true from "
            "SEGUE_MONGO_URI."
        )
    told = f"MongoDB does not answer at {hosts}. Start it with `segue up`, or correct SEGUE_MONGO_URI."
    if "connection closed" in said or "Connection reset" in said:
        told += (
            " It closes connections: if it speaks TLS only, set SEGUE_MONGO_CA_FILE, or add tls=true to the URI."
        )
    return told
