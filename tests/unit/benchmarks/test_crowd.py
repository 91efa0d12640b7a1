from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

from crowd import Crowd

from segue.streaming.events import Listen

TRACKS = [(f"t{n}", f"genre {n % 4}" if n % 20 else None, f"artist {n % 50}") for n in range(1_000)]
END = datetime(2026, 11, 1, tzinfo=UTC)
START = END - timedelta(days=60)


def test_as_many_plays_as_asked_for_each_an_event_of_its_own() -> None:
    events = list(Crowd(TRACKS, listeners=30, seed=1).plays(5_000, START, END))
    assert len(events) == 5_000
    assert len({event.event_id for event in events}) == 5_000
    assert {event.track_id for event in events} <= {track_id for track_id, _, _ in TRACKS}
    assert min(event.listened_at for event in events) >= START.timestamp()


def test_a_listener_plays_one_track_at_a_time() -> None:
    times = defaultdict(list)
    for event in Crowd(TRACKS, listeners=3, seed=1).plays(3_000, START, END):
        times[event.user_name].append(event.listened_at)
    for of_one in times.values():
        assert of_one == sorted(set(of_one))


def test_listeners_keep_their_tastes_and_play_something_else_later() -> None:
    genre_of = {track_id: genre for track_id, genre, _ in TRACKS}
    crowd = Crowd(TRACKS, listeners=5, seed=1)
    before = list(crowd.plays(2_000, START, END))
    after = list(crowd.plays(2_000, END, END + timedelta(days=60)))

    def favourites(user_name: str, events: list[Listen], count: int) -> set[str | None]:
        counts = Counter(genre_of[str(event.track_id)] for event in events if event.user_name == user_name)
        return {genre for genre, _ in counts.most_common(count)}

    assert not {event.event_id for event in before} & {event.event_id for event in after}
    # Two of four moods are genres, of nearly the same strength.
    assert all(favourites(name, before, 1) <= favourites(name, after, 2) for name in crowd.names)


def test_a_corpus_without_genres_and_artists_is_listened_to_all_the_same() -> None:
    events = list(Crowd([(f"t{n}", None, None) for n in range(10)], listeners=2, seed=1).plays(100, START, END))
    assert len(events) == 100
