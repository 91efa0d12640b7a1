"""Simulated listeners: people who do not exist, with stated tastes, who play the tracks of a corpus.

So that a recommender has something to learn before anybody has listened. Every event says ``source: simulated``
and every name begins with ``sim-``. A listener likes some genres, the neighbourhood of a track by sound, and what
everybody plays; plays in sessions, each in the mood of one of their tastes; and comes back to what they know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from kafka import KafkaProducer
from numpy.typing import NDArray
from pymongo import MongoClient

from segue.errors import CorpusError
from segue.settings import Settings
from segue.streaming.broker import create_listens_topic
from segue.streaming.events import Listen, listen
from segue.tracks.vectors import unpack

SOURCE = "simulated"

MOODS = 3  # tastes a listener has
GENRE_SHARE = 0.6  # of the moods that are a genre; the others are a sound
FOCUS = 5.0  # how strongly a mood decides; 0 is not at all
ZIPF_EXPONENT = 0.5  # of popularity over the corpus
REPEAT_SHARE = 0.25  # of plays that return to something already played
SESSION_LENGTH = 5  # mean number of plays in a session
MEAN_PLAY_S = 200  # from one play of a session to the next
NEIGHBOURHOOD = 0.1  # share of the corpus that sounds like one track
SOUND_DIMENSIONS = 8  # principal components in which tracks are near or far


@dataclass(frozen=True)
class CorpusTrack:
    """What a listener can know of a track.

    Parameters
    ----------
    track_id, title : str
    genre : str or None
    features : sequence of float or ndarray
        The audio features; their scale does not matter.
    """

    track_id: str
    title: str
    genre: str | None
    features: Sequence[float] | NDArray[np.float32]


@dataclass(frozen=True)
class Listener:
    """A simulated listener and their tastes, the strongest first."""

    name: str
    tastes: tuple[str, ...]
    shares: tuple[float, ...]

    def __str__(self) -> str:
        stated = ", ".join(f"{taste} ({share:.0%})" for taste, share in zip(self.tastes, self.shares, strict=True))
        return f"{self.name} likes {stated}"


def published_tracks(settings: Settings) -> list[CorpusTrack]:
    """Read the integrated dataset from MongoDB, by track id.

    Raises
    ------
    CorpusError
        If nothing has been published yet.
    """
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        documents = client[settings.mongo_database]["tracks"].find(
            {}, {"title": 1, "genre": 1, "features": 1}, sort=[("_id", 1)]
        )
        found = list(documents)
    vectors = unpack([document["features"] for document in found])
    tracks = [
        CorpusTrack(d["_id"], d.get("title") or d["_id"], d.get("genre"), vector)
        for d, vector in zip(found, vectors, strict=True)
    ]
    if not tracks:
        raise CorpusError("No track has been published to MongoDB yet: run the DAG `corpus` first.")
    return tracks


class Audience:
    """Simulated listeners of one corpus.

    The same tracks, number and seed give the same people, so that a later call of :meth:`play` continues their
    lives.

    Parameters
    ----------
    tracks : sequence of CorpusTrack
    listeners : int
        How many people.
    seed : int
    """

    def __init__(self, tracks: Sequence[CorpusTrack], *, listeners: int, seed: int) -> None:
        self.tracks = sorted(tracks, key=lambda track: track.track_id)
        self.seed = seed
        random = np.random.default_rng(seed)
        popularity = 1 / np.arange(1, len(self.tracks) + 1) ** ZIPF_EXPONENT
        self._popularity = np.log(random.permutation(popularity))
        sounds = _sounds(self.tracks)
        drawn = [self._person(f"sim-{i + 1:04}", random, sounds) for i in range(listeners)]
        self.listeners = [person for person, _ in drawn]
        self._moods = [moods for _, moods in drawn]
        self._activity = random.dirichlet(np.full(listeners, 2.0))

    def _person(
        self, name: str, random: np.random.Generator, sounds: NDArray[np.float64]
    ) -> tuple[Listener, NDArray[np.float64]]:
        genres = sorted({track.genre for track in self.tracks if track.genre})
        shares = np.sort(random.dirichlet(np.full(MOODS, 2.0)))[::-1]
        tastes, moods = [], []
        for _ in range(MOODS):
            if genres and random.random() < GENRE_SHARE:
                genre = str(random.choice(genres))
                tastes.append(genre)
                affinity = np.array([float(track.genre == genre) for track in self.tracks])
            else:
                anchor = int(random.integers(len(self.tracks)))
                tastes.append(f"what sounds like “{self.tracks[anchor].title}”")
                distance = ((sounds - sounds[anchor]) ** 2).sum(axis=1)
                near = max(float(np.quantile(distance, NEIGHBOURHOOD)), np.finfo(float).tiny)
                affinity = np.exp(-distance / near)
            weights = np.exp(FOCUS * affinity + self._popularity)
            moods.append(weights / weights.sum())
        return Listener(name, tuple(tastes), tuple(map(float, shares))), np.array(moods)

    def play(self, *, events: int, start: datetime, end: datetime) -> Iterator[Listen]:
        """Let them listen.

        Parameters
        ----------
        events : int
            How many plays in all.
        start, end : datetime
            When the sessions begin; the last may run on after `end`.

        Yields
        ------
        Listen
            By listener, not by time: as Kafka gets them from many players.
        """
        random = np.random.default_rng([self.seed, int(start.timestamp()), events])
        plays = random.multinomial(events, self._activity)
        for person, moods, count in zip(self.listeners, self._moods, plays, strict=True):
            history: list[int] = []
            for at, mood in _session_times(random, int(count), start, end, person.shares):
                if history and random.random() < REPEAT_SHARE:
                    track = history[int(random.integers(len(history)))]
                else:
                    track = int(random.choice(len(self.tracks), p=moods[mood]))
                history.append(track)
                yield listen(person.name, self.tracks[track].track_id, at, SOURCE)


def simulate(
    tracks: Sequence[CorpusTrack], *, listeners: int, events: int, seed: int, start: datetime, end: datetime
) -> Iterator[Listen]:
    """Simulate an audience and let it listen once: see :class:`Audience`."""
    return Audience(tracks, listeners=listeners, seed=seed).play(events=events, start=start, end=end)


def _sounds(tracks: Sequence[CorpusTrack]) -> NDArray[np.float64]:
    """Place tracks in a few dimensions of sound, of unit variance; shape (n_tracks, dimensions)."""
    features = np.array([track.features for track in tracks], dtype=np.float64)
    features -= features.mean(axis=0)
    features /= np.where(features.std(axis=0) > 0, features.std(axis=0), 1)
    left, values, _ = np.linalg.svd(features, full_matrices=False)
    sounds: NDArray[np.float64] = (
        left[:, :SOUND_DIMENSIONS] * np.sqrt(len(tracks)) * (values[:SOUND_DIMENSIONS] > 0)
    )
    return sounds


def _session_times(
    random: np.random.Generator, count: int, start: datetime, end: datetime, shares: Sequence[float]
) -> Iterator[tuple[int, int]]:
    """Give each play its time (epoch seconds) and the mood of its session."""
    first, last = start.timestamp(), end.timestamp()
    while count > 0:
        length = min(count, int(random.geometric(1 / SESSION_LENGTH)))
        mood = int(random.choice(len(shares), p=shares))
        at = random.uniform(first, last)
        for gap in random.exponential(MEAN_PLAY_S, length) + 30:
            yield int(at), mood
            at += gap
        count -= length


def produce(settings: Settings, events: Iterable[Listen]) -> int:
    """Send events to the topic of listens, which is made where it is missing.

    Each is keyed by its listener, so that a listener's events stay in order, and acknowledged by all replicas.

    Returns
    -------
    int
        How many were sent and acknowledged.

    Raises
    ------
    StackError
        If no broker answers.
    kafka.errors.KafkaError
        If one event is not acknowledged.
    """
    config = {"bootstrap_servers": settings.kafka_bootstrap}
    create_listens_topic(config, settings.listens_topic)
    with KafkaProducer(**config, acks="all", linger_ms=20) as producer:
        sent = [
            producer.send(
                settings.listens_topic, key=event.user_name.encode(), value=event.model_dump_json().encode()
            )
            for event in events
        ]
        producer.flush()
        for future in sent:
            future.get()
    return len(sent)
