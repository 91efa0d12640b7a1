"""The listens that were refused lately, so that a user sees on their page what a player does not show."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from pymongo.database import Database

from segue.api.validation import Refused

COLLECTION = "refused_listens"
KEPT = 50
"""Refusals kept of each user, the newest."""


class RefusedListens:
    """The collection ``refused_listens``: one document a user.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._refused = database[COLLECTION]

    def add(self, user_name: str, refused: Iterable[Refused]) -> None:
        """Note what was refused now; of many only the last are kept."""
        now = int(time.time())
        noted = [{"refused_at": now, "error": each.error, "listen": each.listen} for each in refused][-KEPT:]
        if noted:
            change = {"$push": {"refused": {"$each": noted, "$slice": -KEPT}}}
            self._refused.update_one({"_id": user_name}, change, upsert=True)

    def of_user(self, user_name: str) -> list[dict[str, Any]]:
        """Read them, the newest first: ``refused_at`` in seconds since 1970, ``error``, and ``listen`` as text."""
        found = self._refused.find_one({"_id": user_name}) or {}
        return list(reversed(found.get("refused", [])))

    def remove_user(self, user_name: str) -> int:
        """Remove those of a user; return how many there were."""
        found = self._refused.find_one_and_delete({"_id": user_name}) or {}
        return len(found.get("refused", []))
