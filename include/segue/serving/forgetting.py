"""Forget a user: everything that MongoDB has of them."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from segue.serving.accounts import Accounts
from segue.serving.feedback_store import FeedbackStore
from segue.serving.histories import Histories
from segue.serving.playing_now import PlayingNow
from segue.streaming.removals import Removals, user_key
from segue.streaming.store import ListenStore


def forget_in_database(database: Database[dict[str, Any]], user_name: str) -> dict[str, int]:
    """Remove a user, and note that what Kafka still holds of them no longer counts.

    The note comes first, so that nothing that is on its way is stored again.

    Returns
    -------
    dict of str to int
        What was removed, and how much of it.
    """
    Removals(database).add(user_key(user_name))
    PlayingNow(database).clear(user_name)
    return {
        "account": int(Accounts(database).remove(user_name)),
        "listens": ListenStore(database).remove_user(user_name),
        "plays": Histories(database).remove_user(user_name),
        "opinions": FeedbackStore(database).remove_user(user_name),
        "recommendations": database["recommendations"].delete_many({"_id": user_name}).deleted_count,
    }
