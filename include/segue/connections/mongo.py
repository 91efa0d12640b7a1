"""MongoDB clients, with the time limits that Segue needs. No other module opens one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, OperationFailure

from segue.errors import ServiceUnavailableError
from segue.settings import get_settings

SELECTION_TIMEOUT_MS = 10_000
SOCKET_TIMEOUT_MS = 300_000
"""Longest time without an answer before a server counts as hung. Without a limit, a client would wait forever."""

REFUSED_LOGINS = frozenset({13, 18})
"""Codes of errors: no login although one is needed, and a wrong user or password."""


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
    """
    stated = _stated(uri)
    return MongoClient(
        uri,
        serverSelectionTimeoutMS=selection_timeout_ms
        or int(stated.get("serverselectiontimeoutms", SELECTION_TIMEOUT_MS)),
        socketTimeoutMS=socket_timeout_ms or int(stated.get("sockettimeoutms", SOCKET_TIMEOUT_MS)),
        tz_aware=True,
    )


def limited(uri: str) -> str:
    """Add the time limits that a connection string does not state, for clients that this module does not open.

    Parameters
    ----------
    uri : str
        Connection string, such as that of the settings.

    Returns
    -------
    str
        The same, with ``serverSelectionTimeoutMS`` and ``socketTimeoutMS``. Without ``socketTimeoutMS``, Java's
        driver waits forever for the answer of a server that hangs.
    """
    limits = {"serverSelectionTimeoutMS": SELECTION_TIMEOUT_MS, "socketTimeoutMS": SOCKET_TIMEOUT_MS}
    stated = _stated(uri)
    missing = "&".join(f"{name}={limit}" for name, limit in limits.items() if name.lower() not in stated)
    if not missing:
        return uri
    parts = urlsplit(uri)
    joined = f"{parts.query}&{missing}" if parts.query else missing
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{joined}"


@contextmanager
def database(uri: str | None = None) -> Iterator[Database[Any]]:
    """Open the database of the settings.

    Parameters
    ----------
    uri : str, optional
        Connection string of the server. Default: that of the settings.

    Yields
    ------
    pymongo.database.Database

    Raises
    ------
    ServiceUnavailableError
        If no server answers, the connection breaks, or the server refuses the login.
    """
    settings = get_settings()
    with client(uri or settings.mongo) as opened:
        servers = opened.topology_description.server_descriptions()
        hosts = ", ".join(f"{host}:{port}" for host, port in servers)
        try:
            yield opened[settings.mongo_database]
        except ConnectionFailure as error:
            raise ServiceUnavailableError(
                f"MongoDB does not answer at {hosts}. Start it with `segue up`, or correct SEGUE_MONGO_URI."
            ) from error
        except OperationFailure as error:
            if error.code not in REFUSED_LOGINS:
                raise
            raise ServiceUnavailableError(
                f"MongoDB at {hosts} refuses the login. If the stack that runs is that of another corpus, "
                "start this one's with `segue up`. Otherwise correct the password in SEGUE_MONGO_URI."
            ) from error


def _stated(uri: str) -> dict[str, str]:
    """Return the options of a connection string, by their names in lower case."""
    return {name.lower(): value for name, value in parse_qsl(urlsplit(uri).query)}
