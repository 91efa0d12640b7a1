"""Forget a user: delete everything that MongoDB has about them."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from segue.api.accounts import CACHED_S, Accounts
from segue.api.refused_listens import RefusedListens
from segue.listens.events import SIMULATED_NAMES
from segue.listens.feedback import FeedbackStore
from segue.listens.playing_now import PlayingNow
from segue.listens.rebuilding import purge
from segue.listens.removals import Removals, user_key
from segue.listens.store import ListenStore, in_parts
from segue.playlists.store import PlaylistStore
from segue.recommender.online.served_lists import ServedLists
from segue.recommender.online.serving import COLLECTION as INTERLEAVED

UNDER_WAY_S = 5.0
"""How long the API may take to create the events of a request whose token it has just checked."""


def forget_in_database(database: Database[dict[str, Any]], *user_names: str) -> dict[str, int]:
    """Delete users, and record that events of theirs that are still in Kafka no longer count.

    The order matters: nothing that is on its way may be stored again.

    1. The removals are recorded, so that the mirror deletes the accounts, too. The accounts are deleted.
    2. The API's cache of the tokens expires, which takes `CACHED_S` seconds. Requests that were accepted until
       then are finished. Then no new event can arrive.
    3. The removals are recorded again, so all events until now are ignored.
    4. What is stored is deleted.

    Returns
    -------
    dict of str to int
        Number of deleted items by kind.
    """
    accounts, deleted, stored = Accounts(database), Counter[str](), dict[str, float]()
    for name in user_names:
        changed = accounts.last_change(name)
        stored[name] = changed.timestamp() if changed else 0.0
        Removals(database).add(user_key(name), not_before=stored[name])
        deleted["account"] += accounts.remove(name)
    time.sleep(CACHED_S + UNDER_WAY_S)
    for name in user_names:
        received = max(stored[name], ListenStore(database).received_until(name))
        Removals(database).add(user_key(name), not_before=received)
        deleted.update(_delete(database, name))
    return dict(deleted)


def simulated_listeners(database: Database[dict[str, Any]]) -> list[str]:
    """Return the names of the simulated listeners, of whom MongoDB has a listen or a list of recommendations.

    Their names begin with ``sim-``. Somebody who has a token is real, whatever the name.
    """
    begins = {"$regex": f"^{SIMULATED_NAMES}"}
    names = {each["user_name"] for each in in_parts(database, "user_name")}
    found = {name for name in names if name.startswith(SIMULATED_NAMES)}
    found |= {each["_id"] for each in database["recommendations"].find({"_id": begins}, {"_id": 1})}
    return sorted(name for name in found if not Accounts(database).is_real(name))


def forget_again(database: Database[dict[str, Any]]) -> dict[str, int]:
    """Delete what MongoDB has about forgotten users, such as after an older backup was restored.

    The listens, feedback and served lists of a user who has come back since are kept if they are newer than the
    removal.

    Returns
    -------
    dict of str to int
        Number of deleted items by kind.
    """
    deleted = Counter({"listens": purge(database)})
    fields = dict.fromkeys(("feedback", "playlists", "served_lists"), "user_name")
    fields |= dict.fromkeys(("refused_listens", "playing_now", "recommendations", INTERLEAVED), "_id")
    # Cursors, because the names of all listeners may exceed the 16 MB of one answer.
    names = {each[field] for name, field in fields.items() for each in database[name].find({}, {field: 1})}
    names |= {each["user_name"] for each in in_parts(database, "user_name")}
    removed_at, accounts = Removals(database).all(), Accounts(database)
    for user_name in sorted(name for name in names if user_key(name) in removed_at):
        if accounts.exists(user_name):
            removed = removed_at[user_key(user_name)]
            before = {"user_name": user_name, "created": {"$lte": removed}}
            deleted["feedback entries"] += database["feedback"].delete_many(before).deleted_count
            until = datetime.fromtimestamp(removed, UTC)
            deleted["served lists"] += ServedLists(database).remove_user(user_name, until)
            database[INTERLEAVED].delete_many({"_id": user_name, "generated_at": {"$lte": until}})
        else:
            deleted.update(_delete(database, user_name))
    return dict(deleted)


def _delete(database: Database[dict[str, Any]], user_name: str) -> dict[str, int]:
    PlayingNow(database).clear(user_name)
    database[INTERLEAVED].delete_many({"_id": user_name})
    return {
        "listens": ListenStore(database).remove_user(user_name),
        "refused listens": RefusedListens(database).remove_user(user_name),
        "feedback entries": FeedbackStore(database).remove_user(user_name),
        "recommendations": database["recommendations"].delete_many({"_id": user_name}).deleted_count,
        "playlists": PlaylistStore(database).remove_user(user_name),
        "served lists": ServedLists(database).remove_user(user_name),
    }
