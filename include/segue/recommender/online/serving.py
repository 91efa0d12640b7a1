"""Serve interleaved lists to the listeners who take part in a comparison, and store what everybody is served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from segue.recommender.online.assignment import coins, takes_part
from segue.recommender.online.interleaving import Team, team_draft
from segue.recommender.online.served_lists import ServedList, ServedLists
from segue.recommender.serving.champion import Challenger, Served
from segue.recommender.serving.recommend import Wishes

COLLECTION: Final = "interleaved_recommendations"
"""The interleaved list that each listener was served last, in the form of the collection `recommendations`."""

REMEMBERED = 10_000
"""For this many listeners, the process remembers what it has stored last."""

Document = dict[str, Any]
Make = Callable[[Served, str, Wishes], Document]


class Comparing:
    """Stands between the stored lists and the listeners while a challenger is compared.

    Parameters
    ----------
    database
        The corpus' database.
    challenger
        The recommender that is compared with the champion.
    share
        Share of the listeners who get interleaved lists.
    make
        Makes a list with a recommender for a listener.
    """

    def __init__(self, database: Database[Document], challenger: Challenger, share: float, make: Make) -> None:
        self._kept = database[COLLECTION]
        self._lists = ServedLists(database)
        self._challenger = challenger
        self._share = share
        self._make = make
        self._stored: dict[str, tuple[Any, ...]] = {}  # by listener, the last list that was stored

    def served(self, found: Document) -> Document:
        """Return the list to serve, given the champion's stored list.

        An interleaved list stays the same until the champion's list changes, or the day ends.
        """
        challenger = self._challenger.served
        if challenger is None or challenger.version == found["model_version"]:
            return found
        if not takes_part(found["_id"], challenger.version, self._share):
            self._store(found, found["generated_at"], challenger.version)
            return found
        now = datetime.now(UTC)
        made_for = {
            "generated_at": found["generated_at"],
            "model_version": found["model_version"],
            "challenger": challenger.version,
            "day": now.date().isoformat(),
        }
        kept = self._kept.find_one({"_id": found["_id"], **made_for})
        if kept is None:
            kept = found | made_for | {"items": self._interleaved(found, challenger, now)}
            self._kept.replace_one({"_id": found["_id"]}, kept, upsert=True)
        self._store(kept, made_for["day"], challenger.version)
        return kept | {"items": [{name: item[name] for name in item if name != "team"} for item in kept["items"]]}

    def _interleaved(self, found: Document, challenger: Served, now: datetime) -> list[Document]:
        wishes, user_name = Wishes(), found["_id"]
        other = self._make(challenger, user_name, wishes)
        drafted = team_draft(
            found["items"],
            other["items"],
            coins(user_name, challenger.version, now.date()),
            count=wishes.count,
            per_artist=wishes.per_artist if challenger.model.catalogue.several_artists else wishes.count,
        )
        return [item | {"rank": rank, "team": team and str(team)} for rank, (item, team) in enumerate(drafted, 1)]

    def _store(self, shown: Document, day: Any, challenger: str) -> None:
        """Store what is served, once for each list and day."""
        key = (shown["generated_at"], challenger, day)
        user_name, interleaved = shown["_id"], "challenger" in shown
        if self._stored.get(user_name) == key:
            return
        self._lists.add(
            ServedList(
                user_name=user_name,
                served_at=datetime.now(UTC),
                generated_at=shown["generated_at"],
                champion=shown["model_version"],
                challenger=challenger,
                interleaved=interleaved,
                propensity=self._share if interleaved else 1 - self._share,
                track_ids=[item["track_id"] for item in shown["items"]],
                teams=[item["team"] and Team(item["team"]) for item in shown["items"]] if interleaved else [],
            )
        )
        if len(self._stored) >= REMEMBERED:
            self._stored.clear()
        self._stored[user_name] = key
