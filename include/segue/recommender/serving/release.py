"""Publish a champion: recommend to every listener with it.

The collection ``published_recommendations`` names the version that was published last. It is written after the
last list. A champion that is not noted there was promoted by hand, or by a run that was stopped before it had
published. The next retraining then publishes this champion, even if it promotes nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pymongo.database import Database

from segue.listens.removals import Removals, user_key
from segue.recommender.candidate import PromotionDecision, load, say
from segue.recommender.material import Material
from segue.recommender.model import NAME, Catalogue
from segue.recommender.serving.batch import pages_of, recommend_all
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import COLLECTION, HATED, LOVED, rated_by
from segue.recommender.update import reindex

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from segue.connections.registry import Registry
    from segue.settings import Settings

NOTES = "published_recommendations"
LAST = "last"


def unpublished(
    database: Database[dict[str, Any]], registry: Registry, decision: PromotionDecision, catalogue: Catalogue
) -> Served | None:
    """Find the recommender whose lists are still to be written.

    Parameters
    ----------
    database
        The corpus' database.
    registry
        Where the champion is looked up if the retraining has kept it.
    decision
        How the retraining ended.
    catalogue
        The present catalogue.

    Returns
    -------
    Served or None
        The new champion, or a champion that has not been published, arranged for `catalogue`. None if the champion
        is published, if it cannot be loaded, or if there is none.
    """
    if decision.model is not None:
        return Served(decision.version, decision.model)
    champion = registry.champion(NAME)
    note = database[NOTES].find_one({"_id": LAST}) or {}
    if champion is None or note.get("model_version") == str(champion):
        return None
    model = load(champion)
    if model is None:
        return None
    say(f"{champion} serves, but its recommendations were not published to the end. They are published now.")
    return Served(str(champion), reindex(model, catalogue))


def publish(
    spark: SparkSession,
    database: Database[dict[str, Any]],
    settings: Settings,
    served: Served,
    material: Material,
    removed: Mapping[str, float],
) -> int:
    """Recommend to every listener with the champion, then note that this is done.

    Parameters
    ----------
    spark
        Its executors write the lists.
    database
        The corpus' database.
    settings
        They have the address of the document server, for the executors.
    served
        The champion.
    material
        The listens and the catalogue. The catalogue of the champion has the same order.
    removed
        The removals that were known when the listens were read. Users forgotten since then get no list.

    Returns
    -------
    int
        How many listeners got a list.
    """
    plays = material.interactions
    recommend_all(spark, database, settings, served, plays)
    listeners = plays.users[plays.listens_of_each() > 0].tolist()
    # When a user is forgotten, the removal is recorded before the list is deleted. So this read also finds the
    # removals that came while the lists were written.
    noted = Removals(database).all()
    late = [name for name in listeners if noted.get(user_key(name)) != removed.get(user_key(name))]
    for names in pages_of(late):
        database[COLLECTION].delete_many({"_id": {"$in": names}})
    note = {"_id": LAST, "model_version": served.version, "published_at": datetime.now(UTC)}
    database[NOTES].replace_one({"_id": LAST}, note, upsert=True)
    return len(listeners) - len(late)


def rated_by_all(
    database: Database[dict[str, Any]], names: list[str]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Read which tracks and recordings listeners love, and which they hate: see :func:`.lists.rated_by`."""
    loved, hated = (
        {user: ids for page in pages_of(names) for user, ids in rated_by(database, page, score).items()}
        for score in (LOVED, HATED)
    )
    return loved, hated
