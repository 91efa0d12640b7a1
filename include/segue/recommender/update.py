"""Take new listens into a recommender without training it anew: half-steps of ALS from the factors it has.

ALS alternates between two problems of least squares, the listeners given the tracks and the tracks given the
listeners, and both have the solution that :mod:`.factors` states: a track's vector comes from its listeners'
vectors as a listener's comes from those of the tracks. So an update folds the listeners in, then solves the
tracks whose plays have changed, with the weights and the regularisation of MLlib. Other tracks keep their factors.

Relations by cosine and EASE are computed anew where that takes no more than a moment, and otherwise stay as they
are until the next full training; a track that is new to a large catalogue is ranked by its audio until then.

A track that nobody has played is where its audio says, by the map that today's factors and audio give.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.neighbours import Neighbours
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.sound import ContentMap
from segue.recommender.evaluation.metrics import Scorer
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Audio, related

SMALL_CATALOGUE = 2_000
"""Up to so many tracks cosine and EASE are computed anew."""


def reindex(model: Recommender, catalogue: Catalogue) -> Recommender:
    """Bring a recommender into the order of another catalogue; tracks that it does not know have zeros.

    Parameters
    ----------
    model : Recommender
    catalogue : Catalogue

    Returns
    -------
    Recommender
        The same one where the catalogue is the same.
    """
    if list(model.catalogue.track_ids) == list(catalogue.track_ids):
        return replace(model, catalogue=catalogue)
    place = np.array([model.catalogue.position.get(track, -1) for track in catalogue.track_ids])
    known = np.flatnonzero(place >= 0)
    moved = sparse.csr_matrix(
        (np.ones(len(known), dtype=np.float32), (known, place[known])),
        shape=(len(catalogue), len(model.catalogue)),
    )

    def move(component: Scorer) -> Scorer:
        if isinstance(component, Factors):
            return replace(component, item_factors=moved @ component.item_factors)
        if isinstance(component, Popularity):
            return Popularity(moved @ component.values)
        relations = cast(Neighbours, component).relations
        return Neighbours(sparse.csr_matrix(moved @ relations @ moved.T))

    components = {name: move(component) for name, component in model.blend.components.items()}
    return Recommender(catalogue, Blend(components, model.blend.weights), model.recipe)


def fold_in_plays(
    model: Recommender, before: sparse.csr_matrix, play_counts: sparse.csr_matrix, audio: Audio
) -> Recommender:
    """Update a recommender by the plays that are in `play_counts` and not in `before`, or the other way round.

    Parameters
    ----------
    model : Recommender
        In the order of the catalogue, from :func:`reindex`.
    before : csr_matrix, shape (n_listeners, n_tracks)
        Plays that the model has learned from.
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
        Plays that the new one learns from.
    audio : Audio

    Returns
    -------
    Recommender
        By the same recipe.
    """
    factors = cast(Factors, model.blend.components["factors"])
    new = np.asarray(~factors.item_factors.any(axis=1))
    components: dict[str, Scorer] = {
        **model.blend.components,
        "factors": _solve_touched(factors, new, before, play_counts, audio, model.recipe.sound_prior),
        "popularity": Popularity.fit(play_counts),
    }
    if len(model.catalogue) <= SMALL_CATALOGUE:
        components |= related(play_counts, model.recipe)
    if new.any():
        components["sound"] = audio.relations
    return replace(model, blend=Blend(components, model.blend.weights))


def fold_in_tracks(model: Recommender, play_counts: sparse.csr_matrix, audio: Audio) -> Recommender:
    """Follow the catalogue without new plays: place tracks that came, and those whose audio has changed.

    Parameters
    ----------
    model : Recommender
        In the order of the catalogue, from :func:`reindex`.
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
        Plays that the model has learned from; those of a track that has just come did not count yet.
    audio : Audio

    Returns
    -------
    Recommender
        By the same recipe.
    """
    known = cast(Factors, model.blend.components["factors"]).item_factors.any(axis=1)
    before = sparse.csr_matrix(play_counts @ sparse.diags_array(known.astype(np.float32)))
    before.eliminate_zeros()
    placed = fold_in_plays(model, before, play_counts, audio)
    components = {**placed.blend.components, "sound": audio.relations}
    return replace(placed, blend=Blend(components, model.blend.weights))


def _solve_touched(
    factors: Factors,
    new: NDArray[np.bool_],
    before: sparse.csr_matrix,
    play_counts: sparse.csr_matrix,
    audio: Audio,
    prior: float,
) -> Factors:
    known_to, listeners = (np.diff(plays.tocsc().indptr) for plays in (before, play_counts))
    content = ContentMap.fit(factors, audio.sounds, audio.artists, known_to)
    unplayed = new | (listeners == 0)
    start = replace(factors, item_factors=np.where(unplayed[:, None], content.predicted, factors.item_factors))
    touched = np.unique((play_counts != before).nonzero()[1])
    people = replace(factors, item_factors=start.fold_in_all(play_counts))
    items = start.item_factors.copy()
    items[touched] = people.fold_in_all(play_counts.T.tocsr()[touched])
    solved = content.complete(replace(factors, item_factors=items), listeners, prior)
    items[touched] = solved.item_factors[touched]
    return replace(factors, item_factors=items)
