"""Simulated listeners: people who do not exist, with stated tastes, who play the tracks of a corpus.

So that a recommender has something to learn before anybody has listened. Every event says ``source: simulated``
and every name begins with ``sim-``. A listener likes some genres, the neighbourhood of a track by sound, and what
everybody plays; plays in sessions, each in the mood of one of their tastes; and comes back to what they know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymongo.collection import Collection

from segue.connections import kafka, mongo
from segue.connections.topics import create_listens_topic
from segue.errors import CorpusError
from segue.listens.events import Listen, listen
from segue.settings import Settings
from segue.tracks.vectors import unpack

SOURCE = "simulated"

PAGE = 1_000  # tracks read from MongoDB at a time
SENT_TOGETHER = 10_000  # events that wait for their acknowledgement

MOODS = 3  # tastes a listener has
GENRE_SHARE = 0.6  # of the moods that are a genre; the others are a sound
FOCUS = 5.0  # how strongly a mood decides; 0 is not at all
ZIPF_EXPONENT = 0.5  # of popularity over the corpus
REPEAT_SHARE = 0.25  # of plays that return to something already played
SESSION_LENGTH = 5  # mean number of plays in a session
MEAN_PLAY_S = 200  # from one play of a session to the next
NEIGHBOURHOOD = 0.1  # share of the corpus that sounds like one track
SOUND_DIMENSIONS = 8  # principal components in which tracks are near or far


@dataclass(frozen=True, slots=True)
class CorpusTrack:
    """What a listener can know of a track.

    Parameters
    ----------
    track_id, title : str
    genre : str or None
    features : sequence of float or ndarray, optional
        The audio features; their scale does not matter. A large corpus is read without them, see `Audience`.
    """

    track_id: str
    title: str
    genre: str | None
    features: Sequence[float] | NDArray[np.float32] = ()


@dataclass(frozen=True)
class Listener:
    """A simulated listener and their tastes, the strongest first."""

    name: str
    tastes: tuple[str, ...]
    shares: tuple[float, ...]

    def __str__(self) -> str:
        stated = ", ".join(f"{taste} ({share:.0%})" for taste, share in zip(self.tastes, self.shares, strict=True))
        return f"{self.name} likes {stated}"


def audience_of(settings: Settings, *, listeners: int, seed: int) -> Audience:
    """Simulate listeners of the integrated dataset in MongoDB.

    The collection is read twice, in pages, so that of each track only its names and its place by sound are held.

    Raises
    ------
    CorpusError
        If nothing has been published yet.
    """
    with mongo.client(settings.mongo) as client:
        collection = client[settings.mongo_database]["tracks"]
        pages = (unpack([document["features"] for document in page]) for page in _pages(collection, "features"))
        sounds = Sounds.of(pages)
        tracks, places = [], []
        for page in _pages(collection, "title", "genre", "features"):
            tracks += [CorpusTrack(d["_id"], d.get("title") or d["_id"], d.get("genre")) for d in page]
            places.append(sounds.place(unpack([document["features"] for document in page])))
    return Audience(tracks, listeners=listeners, seed=seed, places=np.concatenate(places))


def _pages(collection: Collection[dict[str, Any]], *fields: str) -> Iterator[list[dict[str, Any]]]:
    documents = collection.find({}, dict.fromkeys(fields, 1), sort=[("_id", 1)], batch_size=PAGE)
    while page := list(islice(documents, PAGE)):
        yield page


@dataclass(frozen=True)
class Sounds:
    """The few dimensions in which tracks are near or far: the first principal components, of unit variance.

    Attributes
    ----------
    origin : ndarray of float64, shape (n_features,)
    axes : ndarray of float64, shape (n_features, n_dimensions)
    """

    origin: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of(cls, pages: Iterable[ArrayLike]) -> Sounds:
        """Find the components of a corpus.

        Parameters
        ----------
        pages : iterable of array_like, shape (n_tracks, n_features)
            The features of the corpus, in parts.

        Raises
        ------
        CorpusError
            If there is no track.
        """
        first, count = None, 0
        for page in pages:
            features = np.asarray(page, dtype=np.float64)
            if first is None:  # subtracted, so that a feature that is always the same has no variance at all
                first = features[0]
                total, products = np.zeros(first.size), np.zeros((first.size, first.size))
            features = features - first
            count += len(features)
            total += features.sum(axis=0)
            products += features.T @ features
        if first is None:
            raise CorpusError("No track has been published to MongoDB yet: run the DAG `corpus` first.")
        mean = total / count
        covariance = products / count - np.outer(mean, mean)
        scale = np.sqrt(np.diag(covariance).clip(min=0))
        scale[scale == 0] = 1
        values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
        values, vectors = values[::-1][:SOUND_DIMENSIONS], vectors[:, ::-1][:, :SOUND_DIMENSIONS]
        used = values > values[0] * first.size * np.finfo(float).eps
        axes = vectors[:, used] / np.sqrt(values[used])
        return cls(first + mean, axes / scale[:, np.newaxis])

    def place(self, features: ArrayLike) -> NDArray[np.float64]:
        """Place tracks; returns an array of shape (n_tracks, n_dimensions)."""
        placed: NDArray[np.float64] = (np.asarray(features, dtype=np.float64) - self.origin) @ self.axes
        return placed


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
    places : ndarray of float64, shape (n_tracks, n_dimensions), optional
        Where `Sounds` places each of `tracks`; by default that of their features.
    """

    def __init__(
        self,
        tracks: Sequence[CorpusTrack],
        *,
        listeners: int,
        seed: int,
        places: NDArray[np.float64] | None = None,
    ) -> None:
        if places is None:
            features = np.array([track.features for track in tracks])
            places = Sounds.of([features]).place(features)
        order = sorted(range(len(tracks)), key=lambda position: tracks[position].track_id)
        self.tracks = [tracks[position] for position in order]
        self.seed = seed
        self._places = places[order]
        self._genres = np.array([track.genre or "" for track in self.tracks])
        random = np.random.default_rng(seed)
        popularity = 1 / np.arange(1, len(self.tracks) + 1) ** ZIPF_EXPONENT
        self._popularity = np.log(random.permutation(popularity))
        genres = sorted({track.genre for track in self.tracks if track.genre})
        drawn = [self._person(f"sim-{i + 1:04}", random, genres) for i in range(listeners)]
        self.listeners = [person for person, _ in drawn]
        self._moods = [moods for _, moods in drawn]
        self._activity = random.dirichlet(np.full(listeners, 2.0))

    def _person(
        self, name: str, random: np.random.Generator, genres: Sequence[str]
    ) -> tuple[Listener, list[str | int]]:
        """Draw a listener; a mood is a genre, or the position of a track that they like the sound of."""
        shares = np.sort(random.dirichlet(np.full(MOODS, 2.0)))[::-1]
        tastes: list[str] = []
        moods: list[str | int] = []
        for _ in range(MOODS):
            if genres and random.random() < GENRE_SHARE:
                moods.append(genre := str(random.choice(genres)))
                tastes.append(genre)
            else:
                moods.append(anchor := int(random.integers(len(self.tracks))))
                tastes.append(f"what sounds like “{self.tracks[anchor].title}”")
        return Listener(name, tuple(tastes), tuple(map(float, shares))), moods

    def _chances(self, mood: str | int) -> NDArray[np.float64]:
        """Return the cumulative distribution over the tracks of what is played in a mood.

        Made when it is needed: those of all listeners together would take more memory than the corpus.
        """
        if isinstance(mood, str):
            affinity = (self._genres == mood).astype(float)
        else:
            distance = ((self._places - self._places[mood]) ** 2).sum(axis=1)
            near = max(float(np.quantile(distance, NEIGHBOURHOOD)), np.finfo(float).tiny)
            affinity = np.exp(-distance / near)
        weights = np.exp(FOCUS * affinity + self._popularity)
        chances: NDArray[np.float64] = (weights / weights.sum()).cumsum()
        chances /= chances[-1]
        return chances

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
            chances = cache(lambda mood, moods=moods: self._chances(moods[mood]))
            for at, mood in _session_times(random, int(count), start, end, person.shares):
                if history and random.random() < REPEAT_SHARE:
                    track = history[int(random.integers(len(history)))]
                else:
                    track = int(chances(mood).searchsorted(random.random(), side="right"))
                history.append(track)
                yield listen(person.name, self.tracks[track].track_id, at, SOURCE)


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
    config = kafka.config(settings)
    create_listens_topic(config, settings.listens_topic)
    waiting, sent = iter(events), 0
    with kafka.producer(config, linger_ms=20) as producer:
        while batch := list(islice(waiting, SENT_TOGETHER)):
            futures = [
                producer.send(
                    settings.listens_topic, key=event.user_name.encode(), value=event.model_dump_json().encode()
                )
                for event in batch
            ]
            producer.flush()
            for future in futures:
                future.get()
            sent += len(batch)
    return sent
