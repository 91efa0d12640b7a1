"""Simulated listeners with known tastes, who play the tracks of a corpus.

A recommender can learn from them before any real user has listened. Every event has the source ``simulated``, and
every name begins with ``sim-``.

A listener has several tastes. A taste is a genre, or the tracks that sound like a certain track. Listeners play in
sessions; in each session they follow one taste, the mood of the session. Popular tracks are played more often, and
a part of the plays repeats earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segue.connections import kafka, mongo
from segue.connections.topics import create_listens_topic
from segue.errors import CorpusError
from segue.listens.events import SIMULATED, SIMULATED_NAMES, Listen, listen
from segue.settings import Settings
from segue.tracks.collection import in_pages
from segue.tracks.vectors import unpack

SENT_TOGETHER = 10_000  # events sent before their acknowledgements are awaited
FLUSH_S = 150.0  # longest wait for the acknowledgements; kafka-python gives up after 120 s, unless it hangs

MOODS = 3  # tastes of a listener
GENRE_SHARE = 0.6  # share of moods that are a genre; the others are a sound
FOCUS = 5.0  # how strongly a mood affects the choice; 0: not at all
ZIPF_EXPONENT = 0.5  # exponent of the popularity of tracks
REPEAT_SHARE = 0.25  # share of plays that repeat an earlier play
SESSION_LENGTH = 5  # mean number of plays in a session
MEAN_PLAY_S = 200  # mean time from one play of a session to the next
NEIGHBOURHOOD = 0.1  # share of the corpus that sounds like one track
SOUND_DIMENSIONS = 8  # principal components in which tracks are near or far


@dataclass(frozen=True, slots=True)
class CorpusTrack:
    """The data of a track that matter to a listener.

    Parameters
    ----------
    track_id, title : str
    genre : str or None
    features : sequence of float or ndarray, optional
        Audio features on any scale. For a large corpus they are not stored here, see `Audience`.
    """

    track_id: str
    title: str
    genre: str | None
    features: Sequence[float] | NDArray[np.float32] = ()


@dataclass(frozen=True)
class Listener:
    """A simulated listener with their tastes, strongest first."""

    name: str
    tastes: tuple[str, ...]
    shares: tuple[float, ...]

    def __str__(self) -> str:
        stated = ", ".join(f"{taste} ({share:.0%})" for taste, share in zip(self.tastes, self.shares, strict=True))
        return f"{self.name} likes {stated}"


def audience_of(settings: Settings, *, listeners: int, seed: int) -> Audience:
    """Simulate listeners of the integrated dataset in MongoDB.

    The collection is read twice, in pages. Only a track's names and its position in `Sounds` stay in memory.

    Raises
    ------
    CorpusError
        If nothing has been published yet.
    """
    with mongo.client(settings.mongo) as client:
        database = client[settings.mongo_database]
        pages = (
            unpack([document["features"] for document in page]) for page in in_pages(database, "features") if page
        )
        sounds = Sounds.of(pages)
        tracks, places = [], []
        for page in filter(None, in_pages(database, "title", "genre", "features")):
            tracks += [CorpusTrack(d["_id"], d.get("title") or d["_id"], d.get("genre")) for d in page]
            places.append(sounds.place(unpack([document["features"] for document in page])))
    return Audience(tracks, listeners=listeners, seed=seed, places=np.concatenate(places))


@dataclass(frozen=True)
class Sounds:
    """A space in which tracks that sound alike are near: the first principal components, with unit variance.

    Attributes
    ----------
    origin : ndarray of float64, shape (n_features,)
    axes : ndarray of float64, shape (n_features, n_dimensions)
    """

    origin: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of(cls, pages: Iterable[ArrayLike]) -> Sounds:
        """Compute the components of a corpus.

        Parameters
        ----------
        pages : iterable of array_like, shape (n_tracks, n_features)
            Features of the corpus, in parts.

        Raises
        ------
        CorpusError
            If there is no track.
        """
        first, count = None, 0
        for page in pages:
            features = np.asarray(page, dtype=np.float64)
            if first is None:  # subtracted, so that the variance of a constant feature is exactly 0
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
        """Return the positions of tracks, shape (n_tracks, n_dimensions)."""
        placed: NDArray[np.float64] = (np.asarray(features, dtype=np.float64) - self.origin) @ self.axes
        return placed


class Audience:
    """Simulated listeners of one corpus.

    The same tracks, number and seed give the same people. So a later call of :meth:`play` continues their
    listening.

    Parameters
    ----------
    tracks : sequence of CorpusTrack
    listeners : int
        Number of people.
    seed : int
    places : ndarray of float64, shape (n_tracks, n_dimensions), optional
        Positions of `tracks` in `Sounds`. Default: computed from their features.
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
        drawn = [self._person(f"{SIMULATED_NAMES}{i + 1:04}", random, genres) for i in range(listeners)]
        self.listeners = [person for person, _ in drawn]
        self._moods = [moods for _, moods in drawn]
        self._activity = random.dirichlet(np.full(listeners, 2.0))

    def _person(
        self, name: str, random: np.random.Generator, genres: Sequence[str]
    ) -> tuple[Listener, list[str | int]]:
        """Draw a listener. A mood is a genre, or the position of a track whose sound they like."""
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
        """Return the cumulative probabilities with which the tracks are played in a mood.

        They are computed when needed: those of all listeners together would take more memory than the corpus.
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
        """Let the listeners play tracks.

        Parameters
        ----------
        events : int
            Total number of plays.
        start, end : datetime
            Time range in which sessions begin. The last session may end after `end`.

        Yields
        ------
        Listen
            Ordered by listener, not by time. Kafka also receives events of many players out of order.
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
                yield listen(person.name, self.tracks[track].track_id, at, SIMULATED)


def _session_times(
    random: np.random.Generator, count: int, start: datetime, end: datetime, shares: Sequence[float]
) -> Iterator[tuple[int, int]]:
    """Yield the time (epoch seconds) and the mood of each play."""
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
    """Send events to the topic of listens. Create the topic if it is missing.

    The key of an event is its listener, so that a listener's events stay in order. All replicas acknowledge it.

    Returns
    -------
    int
        Number of acknowledged events.

    Raises
    ------
    ServiceUnavailableError
        If no broker answers.
    kafka.errors.KafkaError
        If an event is not acknowledged.
    """
    config = kafka.config(settings)
    create_listens_topic(config, settings.listens_topic)
    waiting, sent = iter(events), 0
    with kafka.producing(config, linger_ms=20) as producer:
        while batch := list(islice(waiting, SENT_TOGETHER)):
            futures = [
                producer.send(
                    settings.listens_topic, key=event.user_name.encode(), value=event.model_dump_json().encode()
                )
                for event in batch
            ]
            producer.flush(timeout=FLUSH_S)
            for future in futures:
                future.get(timeout=0)
            sent += len(batch)
    return sent
