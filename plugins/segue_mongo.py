"""Segue's database, as a task reaches it: through the connection ``mongo_default``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymongo.database import Database


def mongo_database() -> Database[Any]:
    """Open the database of the settings through the connection ``mongo_default``."""
    from airflow.providers.mongo.hooks.mongo import MongoHook

    from segue.settings import get_settings

    return MongoHook("mongo_default").get_conn()[get_settings().mongo_database]
