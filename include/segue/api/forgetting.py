"""Forget a user: delete everything that MongoDB has about them."""

from __future__ import annotations

import time
from typing import Any

from pymongo.database import Database

from segue.api.accounts import CACHED_S, Accounts
from segue.api.refused_listens import RefusedListens
from segue.listens.feedback import FeedbackStore
from segue.listens.playing_now import PlayingNow
from segue.listens.removals import Removals, user_key
from segue.listens.store import ListenStore

UNDER_WAY_S = 5.0
"""How long the API may take to create the events of a request whose token it has just checked."""


def forget_in_database(database: Database[dict[str, Any]], user_name: str) -> dict[str, int]:
    """Delete a user, and record that events of the user that are still in Kafka no longer count.

    The order matters: nothing that is on its way may be stored again.

    1. The account is deleted.
    2. The API's cache of the token expires, which takes `CACHED_S` seconds. Requests that were accepted until then
       are finished. Then no new event can arrive.
    3. The removal is recorded, so older events are ignored.
    4. What is stored is deleted.

    Returns
    -------
    dict of str to int
        Number of deleted items by kind.
    """
    account = Accounts(database).remove(user_name)
    time.sleep(CACHED_S + UNDER_WAY_S)
    Removals(database).add(user_key(user_name))
    PlayingNow(database).clear(user_name)
    return {
        "account": int(account),
        "listens": ListenStore(database).remove_user(user_name),
        "refused listens": RefusedListens(database).remove_user(user_name),
        "feedback entries": FeedbackStore(database).remove_user(user_name),
        "recommendations": database["recommendations"].delete_many({"_id": user_name}).deleted_count,
    }
