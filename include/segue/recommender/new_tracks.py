"""Let the recommender follow the corpus: its catalogue, its cold-start factors, and what sounds alike.

No listens are taken in: what somebody has played keeps its factors, and there is nothing new to judge by. So what
differs is promoted. It has seen the same listens as the champion, and is the same number of updates away from the
last full training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from segue.recommender import training
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.incremental import UPDATES, ends_of, from_on
from segue.recommender.material import Material
from segue.recommender.model import NAME, Recommender
from segue.recommender.training import FULL, Decision, load
from segue.recommender.update import carry_over, place

if TYPE_CHECKING:
    from segue.connections.registry import Registry

ROUNDING = 1e-5


def take_in_tracks(material: Material, registry: Registry, topic: Mapping[int, int] | None = None) -> Decision:
    """Bring the champion to the catalogue of `material`; nothing changes if it is there, or there is no champion.

    Parameters
    ----------
    material : Material
    registry : Registry
    topic : mapping of int to int, optional
        Where the topic of listens ends by now, as for :func:`.ends_of`.
    """
    champion = registry.champion(NAME)
    model = load(lambda: champion) if champion else None
    if champion is None or model is None:
        reason = "there is no champion to bring up to date: the next training takes every track"
        return Decision(False, str(champion or "none"), reason, None, {})
    seen = ends_of(champion, topic)
    history = material.interactions.matrix(~from_on(material, seen, 0))
    placed = place(carry_over(model, material.catalogue), history, material.audio)
    old, new = set(model.catalogue.track_ids), set(material.catalogue.track_ids)
    figures = {"tracks_new": len(new - old), "tracks_gone": len(old - new)}
    if _same(model, placed):
        return Decision(False, str(champion), f"{champion} has these tracks as they are", None, figures)
    reason = f"{figures['tracks_new']:,} tracks came, {figures['tracks_gone']:,} went"
    tags = {UPDATES: champion.tags.get(UPDATES, "0"), FULL: champion.tags.get(FULL, str(champion.number))}
    return training.promote(placed, seen, registry, reason, figures, tags=tags, successor_of=champion)


def _same(one: Recommender, other: Recommender) -> bool:
    """Tell whether catalogue, factors and relations of sound are the same, but for rounding."""
    names = ("track_ids", "titles", "artists")
    if any(list(getattr(one.catalogue, name)) != list(getattr(other.catalogue, name)) for name in names):
        return False
    before, after = (cast(Factors, each.blend.components["factors"]).items for each in (one, other))
    near, now = (cast(Neighbours, each.blend.components["sound"]).relations for each in (one, other))
    return bool(np.allclose(before, after, atol=ROUNDING) and abs(near - now).max() < ROUNDING)
