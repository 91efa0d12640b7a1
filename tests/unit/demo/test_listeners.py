from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from segue.demo.listeners import Audience, CorpusTrack, Sounds
from segue.errors import CorpusError
from segue.listens.events import SIMULATED

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)


def corpus(genres=("jig", "reel", "hymn", "motet"), count=120):
    random = np.random.default_rng(0)
    centres = random.normal(size=(len(genres), 12))
    return [
        CorpusTrack(
            f"t{i:03}",
            f"Piece {i}",
            genres[i % len(genres)],
            (centres[i % len(genres)] + random.normal(size=12)).tolist(),
        )
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def audience():
    return Audience(corpus(), listeners=40, seed=1)


@pytest.fixture(scope="module")
def events(audience):
    return list(audience.play(events=3000, start=START, end=END))


def test_the_same_seed_gives_the_same_events(events):
    again = list(Audience(corpus(), listeners=40, seed=1).play(events=3000, start=START, end=END))
    assert again == events
    other = list(Audience(corpus(), listeners=40, seed=2).play(events=3000, start=START, end=END))
    assert other != events


def test_a_later_call_continues_the_same_people(audience):
    assert Audience(corpus(), listeners=40, seed=1).listeners == audience.listeners


def test_there_are_exactly_as_many_events_as_asked_for_each_with_its_own_id(events):
    assert len(events) == 3000
    assert len({event.event_id for event in events}) == 3000


def test_every_event_says_that_nobody_listened(events):
    assert {event.source for event in events} == {SIMULATED}
    assert all(event.user_name.startswith("sim-") for event in events)


def test_sessions_begin_in_the_time_asked_for(events):
    times = [event.listened_at for event in events]
    assert START.timestamp() <= min(times)
    assert max(times) < (END + timedelta(days=1)).timestamp()


def test_a_listener_plays_one_track_after_another(events):
    times = sorted(event.listened_at for event in events if event.user_name == "sim-0001")
    gaps = np.diff(times)
    assert np.median(gaps) < 3600 < gaps.max()


def test_listeners_play_what_they_are_said_to_like(audience, events):
    genre_of = {track.track_id: track.genre for track in audience.tracks}
    fans = [person for person in audience.listeners if person.tastes[0] in set(genre_of.values())]
    assert len(fans) > 10
    shares = []
    for person in fans:
        played = Counter(genre_of[event.track_id] for event in events if event.user_name == person.name)
        shares.append(played[person.tastes[0]] / played.total())
    assert np.mean(shares) > 1.6 / 4


def test_some_tracks_are_popular_and_some_plays_are_repeats(audience, events):
    plays = Counter(event.track_id for event in events)
    top_tenth = sum(count for _, count in plays.most_common(12))
    assert 0.2 < top_tenth / 3000 < 0.7
    distinct = len({(event.user_name, event.track_id) for event in events})
    assert 0.3 * 3000 < distinct < 0.8 * 3000
    assert len(plays) > 0.9 * len(audience.tracks)


def test_a_corpus_without_genres_has_tastes_by_sound():
    tracks = [CorpusTrack(track.track_id, track.title, None, track.features) for track in corpus()]
    people = Audience(tracks, listeners=10, seed=1)
    assert all(taste.startswith("what sounds like") for person in people.listeners for taste in person.tastes)
    assert len(list(people.play(events=50, start=START, end=END))) == 50


def test_a_taste_by_sound_prefers_what_is_near():
    tracks = corpus()
    people = Audience([CorpusTrack(t.track_id, t.title, None, t.features) for t in tracks], listeners=60, seed=4)
    genre_of = {track.track_id: track.genre for track in tracks}
    by_title = {track.title: track.genre for track in tracks}
    same = []
    for person in people.listeners:
        anchor = person.tastes[0].split("“")[1].rstrip("”")
        same.append((person.name, by_title[anchor]))
    played = Counter()
    for event in people.play(events=6000, start=START, end=END):
        played[dict(same)[event.user_name] == genre_of[event.track_id]] += 1
    assert played[True] / 6000 > 1.3 / 4


@pytest.mark.parametrize("count", [1, 2])
def test_a_tiny_corpus_is_played_all_the_same(count):
    people = Audience(corpus(count=count), listeners=3, seed=0)
    assert len(list(people.play(events=20, start=START, end=END))) == 20


def test_a_listener_can_be_introduced(audience):
    sentence = str(audience.listeners[0])
    assert sentence.startswith("sim-0001 likes ")
    assert sentence.count("%") == 3


def test_sounds_are_the_principal_components_whether_a_corpus_is_read_whole_or_in_pages():
    features = np.array([track.features for track in corpus()]) * np.logspace(-3, 3, 12) + 1_000
    features[:, 4] = 7.1  # the same in all tracks
    standard = features - features.mean(axis=0)
    standard /= np.where(np.ptp(features, axis=0) > 0, standard.std(axis=0), np.inf)
    left = np.linalg.svd(standard, full_matrices=False)[0][:, :8] * np.sqrt(len(features))
    for pages in ([features], [features[:7], features[7:50], features[50:]]):
        places = Sounds.of(pages).place(features)
        assert np.allclose(np.abs(places), np.abs(left))


def test_an_audience_of_placed_tracks_is_that_of_their_features():
    tracks, names = corpus(), [CorpusTrack(t.track_id, t.title, t.genre) for t in corpus()]
    features = np.array([track.features for track in tracks])
    placed = Audience(names[::-1], listeners=9, seed=1, places=Sounds.of([features]).place(features)[::-1])
    whole = Audience(tracks, listeners=9, seed=1)
    assert placed.listeners == whole.listeners
    expected = list(whole.play(events=200, start=START, end=END))
    assert list(placed.play(events=200, start=START, end=END)) == expected


def test_a_corpus_without_tracks_is_named():
    with pytest.raises(CorpusError, match="No track has been published"):
        Sounds.of([])
