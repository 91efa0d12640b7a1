"""The objects that the routes share. They are started and stopped together."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from segue import disk
from segue.api.accounts import Accounts, TokenCache
from segue.api.large_bodies import Processing
from segue.api.mirror import Mirror, Mirroring
from segue.api.rate_limits import WINDOW_S, RateLimits
from segue.api.refused_listens import RefusedListens
from segue.api.sessions import Sessions
from segue.api.throttle import Throttle
from segue.connections import kafka, mongo
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.listens.catalogue import LiveCatalogue
from segue.listens.feedback import FeedbackStore
from segue.listens.follower import Follower
from segue.listens.playing_now import PlayingNow
from segue.listens.removals import Removals
from segue.listens.store import ListenStore
from segue.listens.writer import EventWriter
from segue.recommender.online.served_lists import ServedLists
from segue.settings import Settings
from segue.tracks.nearest import LiveSounds

log = logging.getLogger(__name__)

MONGO_TIMEOUT_MS = 5_000
RETRY_S = 1.0


def full_disk(settings: Settings) -> str | None:
    """Return a sentence if the disk of the embedded Kafka is almost full, so that listens must be refused."""
    if settings.kafka_bootstrap_servers:
        return None
    return disk.fullness_of_stack(settings.state_dir, disk.OF_LISTENS)


@dataclass(frozen=True)
class Context:
    """The objects that live longer than a request."""

    settings: Settings
    mongo: MongoClient[dict[str, Any]]
    writer: EventWriter
    accounts: Accounts
    token_cache: TokenCache
    sessions: Sessions
    session_cache: TokenCache
    rate_limits: RateLimits
    throttle: Throttle
    processing: Processing
    store: ListenStore
    removals: Removals
    feedback: FeedbackStore
    playing_now: PlayingNow
    refused: RefusedListens
    catalogue: LiveCatalogue
    sounds: LiveSounds
    follower: Follower
    mirroring: Mirroring
    stopping: threading.Event

    @classmethod
    def from_settings(cls, settings: Settings) -> Context:
        """Create the context without connecting to any service."""
        client = mongo.client(
            settings.mongo, selection_timeout_ms=MONGO_TIMEOUT_MS, socket_timeout_ms=4 * MONGO_TIMEOUT_MS
        )
        database = client[settings.mongo_database]
        accounts, sessions = Accounts(database), Sessions(database)
        return cls(
            settings=settings,
            mongo=client,
            writer=EventWriter(kafka.config(settings), refusal=lambda: full_disk(settings)),
            accounts=accounts,
            token_cache=TokenCache(accounts.of_token),
            sessions=sessions,
            session_cache=TokenCache(sessions.of),
            rate_limits=RateLimits(settings.api_requests_per_window, settings.api_anonymous_requests_per_window),
            throttle=Throttle(settings.api_requests_per_window, WINDOW_S),
            processing=Processing(),
            store=ListenStore(database),
            removals=Removals(database),
            feedback=FeedbackStore(database),
            playing_now=PlayingNow(database),
            refused=RefusedListens(database),
            catalogue=LiveCatalogue(database, settings),
            sounds=LiveSounds(database),
            follower=Follower(settings, database),
            mirroring=Mirroring(Mirror(settings, database)),
            stopping=threading.Event(),
        )

    def start(self) -> None:
        """Start the threads. They wait for services that are not available yet."""
        self.writer.start()
        self.catalogue.start()
        self.sounds.start()
        self.follower.start()
        self.mirroring.start()
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    def close(self) -> None:
        """Write the pending events, then stop the threads."""
        self.stopping.set()
        self.writer.close()
        self.follower.close()
        self.mirroring.close()
        self.catalogue.close()
        self.sounds.close()
        self.mongo.close()

    def _prepare(self) -> None:
        """Create topics and indexes as soon as Kafka and MongoDB are available."""
        while not self.stopping.is_set():
            try:
                create_topics(self.settings)
                self.accounts.create_indexes()
                self.feedback.create_indexes()
                if self.settings.challenger_share:
                    ServedLists(self.mongo[self.settings.mongo_database]).create_indexes()
            except (ServiceUnavailableError, PyMongoError) as error:
                log.warning("Not ready yet: %s", error)
                self.stopping.wait(RETRY_S)
            else:
                return
