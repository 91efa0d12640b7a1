"""Simulated listeners by the ten thousand: tastes, sessions and repeats, drawn listener by listener.

`segue.demo.listeners` keeps for each listener what they think of each track: 51 GB for 20,000 listeners and
106,574 tracks. Here a taste is a genre, an artist or the whole corpus. Within it, popularity follows Zipf's law.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy as np
from kafka import KafkaProducer
from numpy.typing import NDArray

from segue.settings import Settings
from segue.streaming.broker import create_listens_topic
from segue.streaming.events import Listen, listen, message

SOURCE = "simulated"
TASTES = ("genre", "genre", "artist", "all")
"""What a listener's moods are, the strongest first."""
SHARES = np.array([0.4, 0.3, 0.2, 0.1])
ZIPF = 0.8
REPEATS = 0.25
SESSION = 5
PLAY_S = 230
SENT_TOGETHER = 20_000


@dataclass(frozen=True)
class _Shelf:
    """Tracks that belong together, and how popular they are, added up."""

    tracks: NDArray[np.int64]
    popularity: NDArray[np.float64]

    def draw(self, random: np.random.Generator, count: int) -> NDArray[np.int64]:
        at = np.searchsorted(self.popularity, random.random(count) * self.popularity[-1], side="right")
        return self.tracks[np.minimum(at, len(self.tracks) - 1)]


class Crowd:
    """Listeners of one corpus.

    Parameters
    ----------
    tracks : sequence of (str, str or None, str or None)
        Id, genre and artist of each track.
    listeners : int
        How many people.
    seed : int
    """

    def __init__(self, tracks: Sequence[tuple[str, str | None, str | None]], *, listeners: int, seed: int) -> None:
        self._ids = [track_id for track_id, _, _ in tracks]
        self._seed = seed
        self.names = [f"sim-{number:05}" for number in range(listeners)]
        random = np.random.default_rng(seed)
        popularity = random.permutation(1 / np.arange(1, len(tracks) + 1) ** ZIPF)
        self._shelves = {
            "genre": _shelves([genre for _, genre, _ in tracks], popularity),
            "artist": _shelves([artist for _, _, artist in tracks], popularity),
            "all": _shelves(["all"] * len(tracks), popularity),
        }
        self._activity = random.dirichlet(np.full(listeners, 2.0))

    def plays(self, events: int, start: datetime, end: datetime) -> Iterator[Listen]:
        """Let them listen.

        Parameters
        ----------
        events : int
            How many plays in all.
        start, end : datetime
            Between which the sessions begin.

        Yields
        ------
        Listen
            By listener, each in order of time. No two of a listener begin in the same second.
        """
        first, last = int(start.timestamp()), int(end.timestamp())
        counts = np.random.default_rng([self._seed, first]).multinomial(events, self._activity)
        for number, count in enumerate(counts):
            # What they like is the same at every call, what they play is not.
            taste = np.random.default_rng([self._seed, number])
            random = np.random.default_rng([self._seed, number, first])
            shelves = [self._shelves[kind] for kind in TASTES]
            liked = [each[int(taste.integers(len(each)))] for each in shelves]
            tracks, times = self._play(random, liked, int(count), first, last)
            for track, at in zip(tracks, times, strict=True):
                yield listen(self.names[number], self._ids[track], int(at), SOURCE)

    @staticmethod
    def _play(
        random: np.random.Generator, liked: Sequence[_Shelf], count: int, first: int, last: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not count:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        session = np.cumsum(random.random(count) < 1 / SESSION)
        sessions = int(session[-1]) + 1
        begins = np.sort(random.integers(first, last, sessions))
        mood = random.choice(len(liked), sessions, p=SHARES)[session]
        tracks = np.zeros(count, dtype=np.int64)
        for number, shelf in enumerate(liked):
            where = np.flatnonzero(mood == number)
            tracks[where] = shelf.draw(random, len(where))
        for at in np.flatnonzero(random.random(count) < REPEATS):
            tracks[at] = tracks[random.integers(at)] if at else tracks[at]
        times = np.sort(begins[session] + np.arange(count) % SESSION * PLAY_S)
        # One second apart at least: at each place the largest of (time - place) so far, and the place.
        places = np.arange(count)
        return tracks, np.maximum.accumulate(times - places) + places


def _shelves(names: Sequence[str | None], popularity: NDArray[np.float64]) -> list[_Shelf]:
    members: dict[str, list[int]] = {}
    for track, name in enumerate(names):
        if name is not None:
            members.setdefault(name, []).append(track)
    shelves = [np.array(tracks) for _, tracks in sorted(members.items())] or [np.arange(len(names))]
    return [_Shelf(tracks, np.cumsum(popularity[tracks])) for tracks in shelves]


def produce(settings: Settings, events: Iterator[Listen]) -> Mapping[str, int]:
    """Send events to the topic of listens, a bounded number at a time; each is acknowledged.

    Returns
    -------
    mapping of str to int
        How many were sent by listener.

    Raises
    ------
    kafka.errors.KafkaError
        If one is not acknowledged.
    """
    sent: dict[str, int] = {}
    create_listens_topic({"bootstrap_servers": settings.kafka_bootstrap}, settings.listens_topic)
    with KafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all", linger_ms=50) as producer:
        while some := list(islice(events, SENT_TOGETHER)):
            futures = []
            for event in some:
                key, value = message(event)
                futures.append(producer.send(settings.listens_topic, key=key, value=value))
                sent[event.user_name] = sent.get(event.user_name, 0) + 1
            producer.flush()
            for future in futures:
                future.get()
    return sent
