"""Reach Segue's services from a task through Airflow's connections, which are derived from the settings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from segue.connections import for_airflow
from segue.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from pymongo.database import Database

log = logging.getLogger(__name__)


def checked(connection: Connection, derived: str) -> for_airflow.Fields:
    """Return the fields of a connection. A warning in the log names those that differ from the settings.

    Parameters
    ----------
    connection : Connection
    derived : str
        Name of the connection that is derived from the settings and leads to the same service.

    Returns
    -------
    mapping
        As :data:`segue.connections.for_airflow.Fields`.
    """
    names = ("conn_type", "host", "port", "login", "password", "schema")
    fields = {name: getattr(connection, name, None) for name in names} | {"extra": connection.extra_dejson}
    if differing := for_airflow.differences(for_airflow.connections(get_settings())[derived], fields):
        log.warning(
            "Connection %r differs from the SEGUE_ settings in %s. "
            "This task follows the connection; the Spark jobs and the services follow the settings.",
            connection.conn_id,
            ", ".join(differing),
        )
    return fields


@contextmanager
def mongo_database() -> Iterator[Database[Any]]:
    """Open the database of the settings through the connection ``mongo_default``.

    Yields
    ------
    pymongo.database.Database

    Raises
    ------
    segue.errors.ServiceUnavailableError
        If no server answers, or the connection breaks.
    """
    from segue.connections import mongo

    fields = checked(BaseHook.get_connection(for_airflow.MONGO), for_airflow.MONGO)
    with mongo.database(for_airflow.mongo_uri(fields)) as database:
        yield database
