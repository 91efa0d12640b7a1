"""Explain a recommendation: how much each track that the listener has played adds to the score, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.transitions import Transitions
from segue.recommender.model import Recommender

FALLBACK = "Popular with other listeners; you have played nothing of this catalogue yet."

NAMED = 3
"""How many of the tracks that contribute most are named."""


@dataclass(frozen=True)
class Reason:
    """What a score is made of: the sum of `contributions`, `others` and `popularity`.

    Parameters
    ----------
    contributions : dict of int to float
        The `NAMED` played tracks that add most, and how much each adds; the largest first.
    others : float
        How much all other played tracks add.
    popularity : float
        How much the track's popularity adds.
    sounds_like : int or None
        Which of the listener's tracks sounds most like this track.
    sentence : str
        The reason in words.
    """

    contributions: dict[int, float]
    others: float
    popularity: float
    sounds_like: int | None
    sentence: str


def explain(
    model: Recommender,
    scales: Mapping[str, float],
    tracks: NDArray[np.int64],
    plays: NDArray[np.float32],
    targets: NDArray[np.int64],
    session: NDArray[np.float32],
) -> list[Reason]:
    """Divide the scores of tracks among what a listener has played.

    Parameters
    ----------
    model : Recommender
    scales : mapping of str to float
        What each component's scores were multiplied by, from :meth:`.Blend.weigh`.
    tracks : ndarray of int, shape (n_played,)
    plays : ndarray of float32, shape (n_played,)
    targets : ndarray of int, shape (n_targets,)
        Positions of the tracks to explain.
    session : ndarray of float32, shape (n_played,)
        Ranks of `tracks` in the listener's session, from :func:`.ranks_at`.

    Returns
    -------
    list of Reason
        One for each target.
    """
    if not len(tracks):
        return [
            Reason(
                {},
                0.0,
                float(model.popularity[target]),
                None,
                FALLBACK,
            )
            for target in targets
        ]
    added = np.zeros((len(tracks), len(targets)))
    popular = np.zeros(len(targets))
    for name, scale in scales.items():
        component = model.blend.components[name]
        if isinstance(component, Factors | Neighbours):
            added += scale * component.contributions(tracks, plays, targets)
        elif isinstance(component, Transitions):
            added += scale * component.contributions(tracks, session, targets)
        elif isinstance(component, Popularity):
            popular += scale * component.values[targets]
    # A listener may have played very many tracks, so only the largest contributions become Python objects.
    first = np.argsort(-added, axis=0, kind="stable")[:NAMED]
    most = np.take_along_axis(added, first, axis=0)
    others = added.sum(axis=0) - most.sum(axis=0)
    speaking = np.maximum(added, 0).sum(axis=0)
    reasons = []
    for at, like in enumerate(_alike(model, tracks, targets)):
        contributions = dict(zip(tracks[first[:, at]].tolist(), most[:, at].tolist(), strict=True))
        by_all = float(popular[at])
        sentence = _sentence(model, contributions, float(speaking[at]), by_all, like)
        reasons.append(Reason(contributions, float(others[at]), by_all, like, sentence))
    return reasons


def _alike(model: Recommender, tracks: NDArray[np.int64], targets: NDArray[np.int64]) -> list[int | None]:
    if model.alike is None:
        return [None] * len(targets)
    nearness = model.alike.contributions(tracks, np.ones(len(tracks), dtype=np.float32), targets)
    nearest = nearness.argmax(axis=0)
    return [int(tracks[i]) if nearness[i, at] > 0 else None for at, i in enumerate(nearest)]


def _sentence(
    model: Recommender, contributions: dict[int, float], speaking: float, popular: float, alike: int | None
) -> str:
    named = []
    if speaking > popular:
        named = [track for track, share in contributions.items() if share > 0.1 * speaking]
    parts = []
    if named:
        parts.append(f"because you played {_and([model.catalogue.name(track) for track in named])}")
    elif popular > 0:
        parts.append("popular with other listeners")
    if alike is not None:
        what = "it" if named == [alike] else model.catalogue.name(alike)
        parts.append(f"{'and ' if parts else ''}it sounds like {what}")
    text = ", ".join(parts) or "a little of everything you played speaks for it"
    return text[0].upper() + text[1:] + "."


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
