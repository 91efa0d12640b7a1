"""Forget a user: everything that MongoDB has of them."""

from __future__ import annotations

import time
from typing import Any

from pymongo.database import Database

from segue.api.accounts import TRUSTED_S, Accounts
from segue.api.refusals import RefusedListens
from segue.listens.feedback import FeedbackStore
from segue.listens.playing_now import PlayingNow
from segue.listens.removals import Removals, user_key
from segue.listens.store import ListenStore


def forget_in_database(database: Database[dict[str, Any]], user_name: str) -> dict[str, int]:
    """Remove a user, and note that what Kafka still holds of them no longer counts.

    First the account goes, then the API's memory of its token; what the API has taken until then is older than
    the note, and the note older than the removals, so that nothing that is on its way is stored again. This takes
    `TRUSTED_S` seconds.

    Returns
    -------
    dict of str to int
        What was removed, and how much of it.
    """
    account = Accounts(database).remove(user_name)
    time.sleep(TRUSTED_S)
    Removals(database).add(user_key(user_name))
    PlayingNow(database).clear(user_name)
    return {
        "account": int(account),
        "listens": ListenStore(database).remove_user(user_name),
        "refused listens": RefusedListens(database).remove_user(user_name),
        "opinions": FeedbackStore(database).remove_user(user_name),
        "recommendations": database["recommendations"].delete_many({"_id": user_name}).deleted_count,
    }
