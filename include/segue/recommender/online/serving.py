"""Serve interleaved lists to the listeners who take part in a comparison, and store what everybody is served."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from segue.recommender.online.assignment import coins, name_of, takes_part
from segue.recommender.online.interleaving import Team, team_draft
from segue.recommender.online.served_lists import ServedList, ServedLists
from segue.recommender.serving.champion import Challenger, Champion, Served
from segue.recommender.serving.recommend import Wishes

log = logging.getLogger(__name__)

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
    champion, challenger
        The recommenders.
    share
        Share of the listeners who get interleaved lists.
    make
        Makes a list with a recommender for a listener.
    """

    def __init__(
        self,
        database: Database[Document],
        champion: Champion,
        challenger: Challenger,
        share: float,
        make: Make,
    ) -> None:
        self._kept = database[COLLECTION]
        self._lists = ServedLists(database)
        self._champion = champion
        self._challenger = challenger
        self._share = share
        self._make = make
        self._stored: dict[str, tuple[Any, ...]] = {}  # by listener, the last list that was stored
        self._said: str | None = None

    def served(self, found: Document) -> Document:
        """Return the list to serve, given the champion's stored list.

        An interleaved list stays the same until the champion's list changes, or the day ends (UTC). If it cannot
        be made or stored, the champion's list is served.
        """
        champion, challenger, named = self._champion.served, self._challenger.served, self._challenger.named
        if champion is None or challenger is None or named is None or challenger.version == champion.version:
            return found
        try:
            return self._compared(found, champion, challenger, name_of(named))
        except Exception as error:  # of whatever kind: the comparison must not cost a listener the list
            if str(error) != self._said:
                self._said = str(error)
                log.exception("The champion's lists are served: no list can be interleaved with %s.", named)
            return found

    def _compared(self, found: Document, champion: Served, challenger: Served, comparison: str) -> Document:
        user_name, now = found["_id"], datetime.now(UTC)
        if not takes_part(user_name, comparison, self._share):
            self._store(found, comparison, now)
            return found
        made_for = {
            "generated_at": found["generated_at"],
            "model_version": champion.version,
            "comparison": comparison,
            "day": now.date().isoformat(),
        }
        kept = self._kept.find_one({"_id": user_name, **made_for})
        if kept is None:
            items = self._interleaved(user_name, champion, challenger, comparison, now)
            kept = found | made_for | {"items": items}
            self._kept.replace_one({"_id": user_name}, kept, upsert=True)
        self._store(kept, comparison, now)
        return kept | {"items": [{name: item[name] for name in item if name != "team"} for item in kept["items"]]}

    def _interleaved(
        self, user_name: str, champion: Served, challenger: Served, comparison: str, now: datetime
    ) -> list[Document]:
        """Draft from lists that both models make now, so that neither knows more of the listener."""
        wishes = Wishes()
        several = all(each.model.catalogue.several_artists for each in (champion, challenger))
        drafted = team_draft(
            self._make(champion, user_name, wishes)["items"],
            self._make(challenger, user_name, wishes)["items"],
            coins(user_name, comparison, now.date()),
            count=wishes.count,
            per_artist=wishes.per_artist if several else wishes.count,
        )
        return [item | {"rank": rank, "team": team and str(team)} for rank, (item, team) in enumerate(drafted, 1)]

    def _store(self, shown: Document, comparison: str, now: datetime) -> None:
        """Store what is served, once for each list and day."""
        user_name, interleaved = shown["_id"], "comparison" in shown
        key = (shown["generated_at"], comparison, now.date(), interleaved)
        if self._stored.get(user_name) == key:
            return
        self._lists.add(
            ServedList(
                user_name=user_name,
                served_at=now,
                generated_at=shown["generated_at"],
                champion=shown["model_version"],
                comparison=comparison,
                interleaved=interleaved,
                propensity=self._share if interleaved else 1 - self._share,
                track_ids=[item["track_id"] for item in shown["items"]],
                teams=[item["team"] and Team(item["team"]) for item in shown["items"]] if interleaved else [],
            )
        )
        if len(self._stored) >= REMEMBERED:
            self._stored.clear()
        self._stored[user_name] = key
