"""Transitions join the blend only where sessions say what comes next."""

from __future__ import annotations

import numpy as np
import pytest

from segue.recommender import time_choices
from segue.recommender.components.neighbours import cosine
from segue.recommender.components.popularity import Popularity
from segue.recommender.evaluation.windows import Window, by_time
from segue.recommender.interactions import Interactions

LISTENERS, TRACKS, SESSIONS, LENGTH = 60, 80, 12, 5


def listening(*, follows: bool, seed: int = 0) -> Interactions:
    """Simulate sessions of random tracks. With `follows`, each track is the one after the track before it."""
    random = np.random.default_rng(seed)
    tracks = random.integers(TRACKS, size=(LISTENERS * SESSIONS, LENGTH))
    if follows:
        tracks = (tracks[:, :1] + np.arange(LENGTH)) % TRACKS
    begin = random.uniform(0, 1e7, size=(LISTENERS * SESSIONS, 1))
    return Interactions(
        np.repeat(np.arange(LISTENERS), SESSIONS * LENGTH),
        tracks.ravel(),
        np.ones(tracks.size, dtype=np.float32),
        (begin + 200.0 * np.arange(LENGTH)).ravel(),
        np.array([f"listener {i}" for i in range(LISTENERS)]),
        np.array([f"track {i}" for i in range(TRACKS)]),
    )


def chosen(window: Window) -> tuple[time_choices.ChosenTransitions | None, list[str]]:
    said: list[str] = []
    components = {"cosine": cosine(window.train), "popularity": Popularity.fit(window.train)}
    return time_choices.transitions(components, {"cosine": 0.5, "popularity": 0.5}, window, said.append), said


def test_transitions_join_where_one_track_follows_another() -> None:
    found, said = chosen(by_time(listening(follows=True)).validation)
    assert found is not None
    assert found.share == max(time_choices.SHARES)
    relations = found.component.relations.relations.toarray()
    assert np.mean(np.argmax(relations, axis=1) == (np.arange(TRACKS) + 1) % TRACKS) > 0.9
    assert said[0].startswith("transitions: weight 0.5; NDCG@10")


def test_transitions_stay_out_where_the_order_means_nothing() -> None:
    kept = [chosen(by_time(listening(follows=False, seed=seed)).validation)[0] for seed in range(10)]
    assert sum(each is not None for each in kept) <= 1


@pytest.mark.parametrize("change", ["no times", "one play each", "all at once"])
def test_without_sessions_a_sentence_says_why_there_are_no_transitions(change: str) -> None:
    data = listening(follows=True)
    window = by_time(data).validation
    if change == "no times":
        window = Window(window.train, window.held_out)
    else:
        chosen_rows = slice(None, None, SESSIONS * LENGTH) if change == "one play each" else slice(None)
        at_s = np.linspace(0, 1e7, LISTENERS) if change == "one play each" else np.zeros(len(data.user))
        few = Interactions(
            data.user[chosen_rows], data.item[chosen_rows], data.plays[chosen_rows], at_s, data.users, data.items
        )
        window = Window(few.matrix(), few.matrix(), few.timeline(), few.timeline())
    found, said = chosen(window)
    assert found is None
    assert said == ["transitions: none, because no session of the validation window goes on with a new track"]
