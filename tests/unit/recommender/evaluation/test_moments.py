from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.evaluation import moments
from segue.recommender.evaluation.windows import Window
from segue.recommender.timeline import SESSION_GAP_S, Timeline


def window(*later: tuple[int, int, float], before: tuple[tuple[int, int], ...] = ()) -> Window:
    """Make a window of three listeners and eight tracks. A held-out play is a listener, a track and seconds."""
    train = np.zeros((3, 8), dtype=np.float32)
    for listener, track in before:
        train[listener, track] += 1
    listener, track, at_s = (np.array(column) for column in zip(*later, strict=True))
    held_out = sparse.csr_matrix((np.ones(len(later), dtype=np.float32), (listener, track)), shape=(3, 8))
    return Window(
        sparse.csr_matrix(train), held_out, later=Timeline.of(listener, track, at_s.astype(np.float64), 8)
    )


def test_a_moment_knows_what_was_played_up_to_it_and_holds_out_the_rest_of_the_session() -> None:
    gap = 2 * SESSION_GAP_S
    drawn = moments.draw(
        window(
            (1, 2, 0), (1, 3, gap), (1, 4, gap + 60), (1, 5, gap + 120), (1, 6, 5 * gap), before=((1, 0), (1, 4))
        ),
        most=99,
    )
    assert drawn is not None
    # Track 4 is not new, and no track follows 2, 5 and 6 in their sessions. So the moment is that of track 4.
    assert drawn.listener.tolist() == [1]
    assert drawn.window.train.toarray().tolist() == [[1, 0, 1, 1, 2, 0, 0, 0]]
    assert drawn.window.held_out.toarray().tolist() == [[0, 0, 0, 0, 0, 1, 0, 0]]
    assert drawn.window.session is not None
    assert drawn.window.session.toarray().tolist() == [[0, 0, 0, 2, 1, 0, 0, 0]]


def test_a_track_that_was_played_earlier_in_the_window_is_not_new() -> None:
    assert moments.draw(window((0, 1, 0), (0, 2, 60), (0, 1, 120), before=((0, 2),)), most=99) is None


@pytest.mark.parametrize(
    "later", [((0, 1, 5), (0, 2, 5), (1, 3, 5)), ((0, 1, 5),), ((0, 1, 0), (0, 2, 9_000))], ids=str
)
def test_without_a_next_track_in_a_session_there_are_no_moments(later: tuple[tuple[int, int, float], ...]) -> None:
    assert moments.draw(window(*later), most=99) is None
    assert moments.draw(Window(*(window(*later).train for _ in range(2))), most=99) is None


def test_a_listener_gives_few_moments_and_counts_once() -> None:
    plays = [(0, track, 60.0 * track) for track in range(8)] + [(2, 1, 0.0), (2, 2, 60.0)]
    drawn = moments.draw(window(*plays), most=99)
    assert drawn is not None
    assert drawn.listener.tolist() == [0] * moments.OF_A_LISTENER + [2]
    np.testing.assert_allclose(drawn.by_listener(np.array([0, 1, 0, 1, 0, 7.0])), [0.4, 7])
    fewer = moments.draw(window(*plays), most=3)
    assert fewer is not None
    assert len(fewer.listener) == 3
    assert set(np.diff(fewer.listener)) <= {0, 2}
