"""What the API's routes work with, started and stopped together."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from segue.api.accounts import Accounts, RememberedAccounts
from segue.api.audioscrobbler.sessions import Sessions
from segue.api.pace import Pace
from segue.api.rate_limits import WINDOW_S, RateLimits
from segue.api.refusals import RefusedListens
from segue.connections import kafka, mongo
from segue.connections.topics import create_topics
from segue.errors import ServiceUnavailableError
from segue.listens.catalogue import LiveCatalogue
from segue.listens.feedback import FeedbackStore
from segue.listens.follower import Follower
from segue.listens.histories import Histories
from segue.listens.playing_now import PlayingNow
from segue.listens.removals import Removals
from segue.listens.store import ListenStore
from segue.listens.writer import EventWriter
from segue.settings import Settings

log = logging.getLogger(__name__)

MONGO_TIMEOUT_MS = 5_000
RETRY_S = 1.0


@dataclass(frozen=True)
class Context:
    """Everything that outlives a request."""

    settings: Settings
    mongo: MongoClient[dict[str, Any]]
    writer: EventWriter
    accounts: Accounts
    remembered: RememberedAccounts
    sessions: Sessions
    remembered_sessions: RememberedAccounts
    rate_limits: RateLimits
    pace: Pace
    store: ListenStore
    histories: Histories
    removals: Removals
    feedback: FeedbackStore
    playing_now: PlayingNow
    refused: RefusedListens
    catalogue: LiveCatalogue
    follower: Follower
    stopping: threading.Event

    @classmethod
    def of(cls, settings: Settings) -> Context:
        """Build it; nothing is connected yet."""
        client = mongo.client(
            settings.mongo, selection_timeout_ms=MONGO_TIMEOUT_MS, socket_timeout_ms=4 * MONGO_TIMEOUT_MS
        )
        database = client[settings.mongo_database]
        accounts, store, removals = Accounts(database), ListenStore(database), Removals(database)
        sessions = Sessions(database)
        return cls(
            settings=settings,
            mongo=client,
            writer=EventWriter(kafka.config(settings)),
            accounts=accounts,
            remembered=RememberedAccounts(accounts.of_token),
            sessions=sessions,
            remembered_sessions=RememberedAccounts(sessions.of),
            rate_limits=RateLimits(settings.api_requests_per_window, settings.api_anonymous_requests_per_window),
            pace=Pace(settings.api_requests_per_window, WINDOW_S),
            store=store,
            histories=Histories(database),
            removals=removals,
            feedback=FeedbackStore(database),
            playing_now=PlayingNow(database),
            refused=RefusedListens(database),
            catalogue=LiveCatalogue(database, settings),
            follower=Follower(settings, store, removals),
            stopping=threading.Event(),
        )

    def start(self) -> None:
        """Start the threads; what they need may come later."""
        self.writer.start()
        self.catalogue.start()
        self.follower.start()
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    def close(self) -> None:
        """Stop the threads, after the events at hand are written."""
        self.stopping.set()
        self.writer.close()
        self.follower.close()
        self.catalogue.close()
        self.mongo.close()

    def _prepare(self) -> None:
        """Make topics and indexes as soon as Kafka and MongoDB are there."""
        while not self.stopping.is_set():
            try:
                create_topics(self.settings)
                self.accounts.create_indexes()
                self.store.create_indexes()
                self.feedback.create_indexes()
            except (ServiceUnavailableError, PyMongoError) as error:
                log.warning("Not ready yet: %s", error)
                self.stopping.wait(RETRY_S)
            else:
                return
