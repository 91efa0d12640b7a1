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
"""How long a served list is kept after its comparison has ended."""

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
    champion : str
        The version.
    comparison : str
        Name of the comparison, which begins with the challenger's version.
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
    comparison: str
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
        self._lists.create_index([("comparison", 1), ("interleaved", 1)])

    def add(self, served: ServedList) -> None:
        """Store a list. If it is stored already, it stays as it is."""
        made = f"{served.generated_at.isoformat()}/{served.served_at.date()}/{served.interleaved:d}"
        key = f"{served.user_name}/{served.comparison}/{made}"
        document = vars(served) | {
            "schema_version": SCHEMA_VERSION,
            "track_ids": list(served.track_ids),
            "teams": [team and str(team) for team in served.teams],
        }
        self._lists.update_one({"_id": key}, {"$setOnInsert": document}, upsert=True)

    def interleaved(self, comparison: str, user_name: str) -> Iterator[ServedList]:
        """Yield the interleaved lists that a listener was served in a comparison, oldest first."""
        query = {"user_name": user_name, "comparison": comparison, "interleaved": True}
        for document in sorted(self._lists.find(query), key=lambda found: found["served_at"]):
            yield _list_of(document)

    def listeners(self, comparison: str) -> list[str]:
        """Return the names of the listeners who were served interleaved lists in a comparison."""
        query = {"comparison": comparison, "interleaved": True}
        return sorted({found["user_name"] for found in self._lists.find(query, {"user_name": 1})})

    def remove_user(self, user_name: str, until: datetime | None = None) -> int:
        """Delete the lists of a user, or those served up to a time, and return their number."""
        until_then = {"served_at": {"$lte": until}} if until else {}
        return self._lists.delete_many({"user_name": user_name, **until_then}).deleted_count

    def remove_old(self, now: datetime, goes_on: str | None) -> int:
        """Delete the lists that are older than `KEPT`, but none of the comparison that goes on.

        The bounds of a comparison hold only if everything since its beginning counts.
        """
        old = {"served_at": {"$lt": now - KEPT}, "comparison": {"$ne": goes_on}}
        return self._lists.delete_many(old).deleted_count


def _list_of(document: Document) -> ServedList:
    kept = {name: document[name] for name in ServedList.__dataclass_fields__}
    kept["teams"] = [team and Team(team) for team in kept["teams"]]
    return ServedList(**kept)
