"""The recently refused listens of each user. The user's page lists them, because many players do not show them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from pymongo.database import Database

from segue.api.validation import RefusedListen

COLLECTION = "refused_listens"
KEPT = 50
"""Number of refused listens stored for each user, the newest ones."""


class RefusedListens:
    """The collection ``refused_listens``: one document per user.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._refused = database[COLLECTION]

    def add(self, user_name: str, refused: Iterable[RefusedListen]) -> None:
        """Store listens that were refused now. If there are more than `KEPT`, only the last ones are stored."""
        now = int(time.time())
        noted = [{"refused_at": now, "error": each.error, "listen": each.listen} for each in refused][-KEPT:]
        if noted:
            change = {"$push": {"refused": {"$each": noted, "$slice": -KEPT}}}
            self._refused.update_one({"_id": user_name}, change, upsert=True)

    def of_user(self, user_name: str) -> list[dict[str, Any]]:
        """Return the refused listens of a user, newest first.

        Returns
        -------
        list of dict
            ``refused_at`` in seconds since 1970, ``error``, and ``listen`` as text.
        """
        found = self._refused.find_one({"_id": user_name}) or {}
        return list(reversed(found.get("refused", [])))

    def remove_user(self, user_name: str) -> int:
        """Delete the refused listens of a user, and return their number."""
        found = self._refused.find_one_and_delete({"_id": user_name}) or {}
        return len(found.get("refused", []))
