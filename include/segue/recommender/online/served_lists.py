"""The collection `served_lists`: what was served to whom while a challenger was compared, one document a list.

It is what the comparison is evaluated on, and enough to estimate other policies from later: each document has the
probability with which the listener was assigned to what was served.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.database import Database

from segue.recommender.online.interleaving import Team

COLLECTION: Final = "served_lists"
SCHEMA_VERSION: Final = 1

KEPT = timedelta(days=60)
"""How long a served list is kept."""

Document = dict[str, Any]


@dataclass(frozen=True)
class ServedList:
    """A list as a listener saw it.

    Parameters
    ----------
    user_name : str
    served_at : datetime
        When it was first served, in UTC.
    generated_at : datetime
        When the champion's list was made.
    champion, challenger : str
        The versions.
    interleaved : bool
        Whether the listener takes part. If not, the list is the champion's.
    propensity : float
        Probability, before the assignment, that this listener was served such a list. Within an interleaved list,
        either team picks first in a round with probability 1/2.
    track_ids : sequence of str
        The tracks by their positions.
    teams : sequence of (Team or None)
        Who has picked each track. Empty if the list is the champion's.
    """

    user_name: str
    served_at: datetime
    generated_at: datetime
    champion: str
    challenger: str
    interleaved: bool
    propensity: float
    track_ids: Sequence[str]
    teams: Sequence[Team | None] = ()


class ServedLists:
    """Reads and writes the served lists.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._lists = database[COLLECTION]

    def create_indexes(self) -> None:
        """Create the indexes for the lists of a user, and for those of a comparison."""
        self._lists.create_index("user_name")
        self._lists.create_index([("challenger", 1), ("interleaved", 1)])

    def add(self, served: ServedList) -> None:
        """Store a list. If it is stored already, it stays as it is."""
        key = f"{served.user_name}/{served.challenger}/{served.generated_at.isoformat()}/{served.served_at.date()}"
        document = vars(served) | {
            "schema_version": SCHEMA_VERSION,
            "track_ids": list(served.track_ids),
            "teams": [team and str(team) for team in served.teams],
        }
        self._lists.update_one({"_id": key}, {"$setOnInsert": document}, upsert=True)

    def interleaved(self, challenger: str, user_name: str) -> Iterator[ServedList]:
        """Yield the interleaved lists that a listener was served in a challenger's comparison, oldest first."""
        query = {"user_name": user_name, "challenger": challenger, "interleaved": True}
        for document in sorted(self._lists.find(query), key=lambda found: found["served_at"]):
            yield _list_of(document)

    def listeners(self, challenger: str) -> list[str]:
        """Return the names of the listeners who were served interleaved lists in a comparison."""
        query = {"challenger": challenger, "interleaved": True}
        return sorted({found["user_name"] for found in self._lists.find(query, {"user_name": 1})})

    def remove_user(self, user_name: str) -> int:
        """Delete the lists of a user, and return their number."""
        return self._lists.delete_many({"user_name": user_name}).deleted_count

    def remove_old(self, now: datetime) -> int:
        """Delete the lists that are older than `KEPT`, and return their number."""
        return self._lists.delete_many({"served_at": {"$lt": now - KEPT}}).deleted_count


def _list_of(document: Document) -> ServedList:
    kept = {name: document[name] for name in ServedList.__dataclass_fields__}
    kept["teams"] = [team and Team(team) for team in kept["teams"]]
    return ServedList(**kept)
