"""MongoDB: the one place that opens clients, with the address and the time limits of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ServerSelectionTimeoutError

from segue.errors import StackError
from segue.settings import get_settings

SELECTION_TIMEOUT_MS = 10_000
SOCKET_TIMEOUT_MS = 300_000
"""A server that has been silent for so long hangs: without a limit a client would wait for it for ever."""


def client(
    uri: str,
    *,
    selection_timeout_ms: int = SELECTION_TIMEOUT_MS,
    socket_timeout_ms: int | None = None,
) -> MongoClient[dict[str, Any]]:
    """Open a client; it connects when it is first used.

    Parameters
    ----------
    uri : str
        Connection string, such as that of the settings.
    selection_timeout_ms : int
        Longest wait for a server that takes requests, in milliseconds.
    socket_timeout_ms : int, optional
        Longest wait for an answer, in milliseconds; by default that of `uri`, else `SOCKET_TIMEOUT_MS`.

    Returns
    -------
    pymongo.MongoClient
        Its dates are aware, in UTC. ``connectTimeoutMS`` is left to `uri`: a heartbeat that takes longer ends
        whatever is on its way.
    """
    stated = {name.lower(): value for name, value in parse_qsl(urlsplit(uri).query)}
    return MongoClient(
        uri,
        serverSelectionTimeoutMS=selection_timeout_ms,
        socketTimeoutMS=socket_timeout_ms or int(stated.get("sockettimeoutms", SOCKET_TIMEOUT_MS)),
        tz_aware=True,
    )


@contextmanager
def database() -> Iterator[Database[Any]]:
    """Open the database of the settings.

    Yields
    ------
    pymongo.database.Database

    Raises
    ------
    StackError
        If no server answers within ten seconds.
    """
    settings = get_settings()
    with client(settings.mongo) as opened:
        try:
            yield opened[settings.mongo_database]
        except ServerSelectionTimeoutError as error:
            servers = opened.topology_description.server_descriptions()
            hosts = ", ".join(f"{host}:{port}" for host, port in servers)
            raise StackError(
                f"MongoDB does not answer at {hosts}. Start it with `segue up`, or correct SEGUE_MONGO_URI."
            ) from error
