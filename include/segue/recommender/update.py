"""Update a recommender with new plays or new tracks by half-steps of ALS, without a full training.

ALS alternates between two least-squares problems: the listeners given the tracks, and the tracks given the
listeners. Both have the solution that :mod:`.factors` states. An update starts from the factors that the
recommender has. It first folds the listeners in. It then solves the factors of the tracks whose plays have
changed, with the weights and the regularisation of MLlib. Other tracks keep their factors.

In a small catalogue, the update computes the relations by cosine, EASE and GF-CF anew. In a large catalogue this
takes too long, so these relations stay as they are until the next full training. Until then, a new track is ranked
by its audio. Popularity and transitions are counted anew in any catalogue.

The factors of a track that nobody has played are predicted from its audio, by a map that is fitted to the factors
of the other tracks.
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
from segue.recommender.components.transitions import Transitions
from segue.recommender.evaluation.metrics import Scorer
from segue.recommender.model import Catalogue, Recommender
from segue.recommender.recipe import Audio, related
from segue.recommender.timeline import Timeline

SMALL_CATALOGUE = 2_000
"""In a catalogue of at most this many tracks, cosine, EASE and GF-CF are computed anew."""


def reindex(model: Recommender, catalogue: Catalogue) -> Recommender:
    """Rearrange a recommender for another catalogue.

    Recordings that it does not know get factors and relations of 0. If several that it knows have become one, this
    one gets the relations of the first of them. Its factors are 0, because they are to be solved from all plays.

    Parameters
    ----------
    model : Recommender
    catalogue : Catalogue

    Returns
    -------
    Recommender
        If the recordings are the same, the components are those of `model`.
    """
    if _recordings(model.catalogue) == _recordings(catalogue):
        return replace(model, catalogue=catalogue)
    before = model.catalogue.position
    places = [
        list(dict.fromkeys(before[track] for track in tracks if track in before))
        for tracks in _recordings(catalogue)
    ]
    place = np.array([found[0] if found else -1 for found in places])
    is_merged = np.array([len(found) > 1 for found in places])
    known = np.flatnonzero(place >= 0)
    moved = sparse.csr_matrix(
        (np.ones(len(known), dtype=np.float32), (known, place[known])),
        shape=(len(catalogue), len(model.catalogue)),
    )

    def move_relations(relations: Neighbours) -> Neighbours:
        return Neighbours(sparse.csr_matrix(moved @ relations.relations @ moved.T))

    def move(component: Scorer) -> Scorer:
        if isinstance(component, Factors):
            factors = moved @ component.item_factors
            factors[is_merged] = 0
            return replace(component, item_factors=factors)
        if isinstance(component, Popularity):
            return Popularity(moved @ component.values)
        if isinstance(component, Transitions):
            return replace(component, relations=move_relations(component.relations))
        return move_relations(cast(Neighbours, component))

    components = {name: move(component) for name, component in model.blend.components.items()}
    return Recommender(catalogue, Blend(components, model.blend.weights), model.recipe)


def fold_in_plays(
    model: Recommender,
    before: sparse.csr_matrix,
    play_counts: sparse.csr_matrix,
    audio: Audio,
    timeline: Timeline | None = None,
) -> Recommender:
    """Update a recommender with the plays in which `play_counts` and `before` differ.

    Parameters
    ----------
    model : Recommender
        Arranged for the current catalogue: see :func:`reindex`.
    before : csr_matrix, shape (n_listeners, n_tracks)
        Plays that the model has learned.
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
        All plays that the updated model will have learned.
    audio : Audio
    timeline : Timeline, optional
        The plays of `play_counts` in the order of time. Without it, listeners of all times count the same for the
        popularity, and transitions stay as they are.

    Returns
    -------
    Recommender
        It has the same recipe.
    """
    factors = cast(Factors, model.blend.components["factors"])
    new = np.asarray(~factors.item_factors.any(axis=1))
    components: dict[str, Scorer] = {
        **model.blend.components,
        "factors": _solve_touched(factors, new, before, play_counts, audio, model.recipe.sound_prior),
        "popularity": model.recipe.popularity(play_counts, timeline),
        **model.recipe.transitions(timeline),
    }
    if len(model.catalogue) <= SMALL_CATALOGUE:
        components |= related(play_counts, model.recipe)
    if new.any():
        components["sound"] = audio.relations
    return replace(model, blend=Blend(components, model.blend.weights))


def fold_in_tracks(
    model: Recommender, play_counts: sparse.csr_matrix, audio: Audio, timeline: Timeline | None = None
) -> Recommender:
    """Predict the factors of new tracks, and of unplayed tracks whose audio has changed, without new plays.

    Parameters
    ----------
    model : Recommender
        Arranged for the current catalogue: see :func:`reindex`.
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
        Plays that the model has learned. It has not used the plays of new tracks so far.
    audio : Audio
    timeline : Timeline, optional
        As in :func:`fold_in_plays`.

    Returns
    -------
    Recommender
        It has the same recipe.
    """
    known = cast(Factors, model.blend.components["factors"]).item_factors.any(axis=1)
    before = sparse.csr_matrix(play_counts @ sparse.diags_array(known.astype(np.float32)))
    before.eliminate_zeros()
    placed = fold_in_plays(model, before, play_counts, audio, timeline)
    components = {**placed.blend.components, "sound": audio.relations}
    return replace(placed, blend=Blend(components, model.blend.weights))


def _recordings(catalogue: Catalogue) -> list[tuple[str, ...]]:
    """List the track ids of each recording. The first of them stands for it."""
    if not catalogue.copies:
        return [(track,) for track in catalogue.track_ids]
    return [(track, *copies) for track, copies in zip(catalogue.track_ids, catalogue.copies, strict=True)]


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
