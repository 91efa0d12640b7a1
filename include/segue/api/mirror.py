"""The mirror of accounts and removals in Kafka, because otherwise only MongoDB would have them.

The topic is compacted: Kafka keeps the last message of each key. The key of an account is ``account/<user name>``,
and that of a removal is ``removal/<key>``. Sessions and the MD5 of a token are not mirrored. So players must sign
in again after a restoration.

- An account is deleted from the mirror only if its user was forgotten. So an empty database empties no mirror.
- An account that MongoDB lacks, or has in an older version, is counted. `segue rebuild accounts` restores it.
- A removal that MongoDB lacks is restored at once, so that forgotten users stay forgotten.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import Any

from bson import json_util
from kafka.errors import KafkaError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from segue.api.accounts import COLLECTION as ACCOUNTS
from segue.api.accounts import changed_at
from segue.connections import kafka, offsets, whole_topics
from segue.connections.topics import create_accounts_topic
from segue.errors import ServiceUnavailableError
from segue.listens.losses import Followed
from segue.listens.removals import COLLECTION as REMOVALS
from segue.listens.removals import Removals, user_key
from segue.settings import Settings

log = logging.getLogger(__name__)

SYNC_S = 10.0
"""How often the API compares MongoDB with the mirror."""
ACKNOWLEDGED_S = 30.0
BOOTSTRAP_TIMEOUT_MS = 2_000
NOT_MIRRORED = ("sessions", "token_md5", "sign_in")
OPTIONS = json_util.JSONOptions(tz_aware=True)

Document = dict[str, Any]


@dataclass(frozen=True)
class Content:
    """What the mirror holds: accounts by user name, and the times of removals by key."""

    accounts: dict[str, Document] = field(default_factory=dict)
    removals: dict[str, float] = field(default_factory=dict)


class Mirror:
    """The mirror of one database.

    Parameters
    ----------
    settings
        Where Kafka is, and the name of the topic.
    database
        The corpus' database.
    """

    def __init__(self, settings: Settings, database: Database[Document]) -> None:
        self._settings = settings
        self._config = kafka.config(settings) | {"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS}
        self._topic = settings.accounts_topic
        self._database = database
        self._removals = Removals(database)
        self._followed = Followed(database, settings.accounts_topic)
        self._seen: object = None

    def read(self) -> Content:
        """Read the whole mirror.

        Raises
        ------
        ServiceUnavailableError
            If no broker answers.
        """
        content = Content()
        for record in whole_topics.messages(self._config, self._topic):
            kind, _, name = record.key.decode().partition("/")
            place: dict[str, Any] = content.accounts if kind == "account" else content.removals
            if record.value is None:
                place.pop(name, None)
            else:
                place[name] = json_util.loads(record.value, json_options=OPTIONS)
        return content

    def sync(self) -> None:
        """Write what the mirror lacks, restore missing removals, and note how many accounts MongoDB lacks.

        Raises
        ------
        ServiceUnavailableError, pymongo.errors.PyMongoError
            If Kafka or MongoDB is away.
        """
        if self._state() == self._seen:
            return
        create_accounts_topic(self._settings, self._config)
        mirrored = self.read()
        self._removals.restore(mirrored.removals)
        removals = self._removals.all()
        accounts = {
            each["_id"]: each for each in self._database[ACCOUNTS].find({}, dict.fromkeys(NOT_MIRRORED, 0))
        }
        messages: dict[str, Document | float | None] = {
            f"removal/{key}": at for key, at in removals.items() if mirrored.removals.get(key) != at
        }
        lacking = 0
        for name in accounts.keys() | mirrored.accounts.keys():
            here, there = accounts.get(name), mirrored.accounts.get(name)
            forgotten_at = removals.get(user_key(name), 0.0)
            if is_forgotten(there, forgotten_at) and here is None:
                messages[f"account/{name}"] = None
            elif is_forgotten(here, forgotten_at) or is_newer(there, here):
                lacking += 1
            elif here != there:
                messages[f"account/{name}"] = here
        self._send(messages)
        self._followed.count("mongodb", lacking)
        self._seen = self._state()

    def restore(self) -> tuple[int, int]:
        """Restore accounts and removals from the mirror. Delete the accounts of users who were forgotten.

        Returns
        -------
        restored, deleted : int
            Number of accounts.
        """
        mirrored = self.read()
        self._removals.restore(mirrored.removals)
        removals, accounts, restored, deleted = self._removals.all(), self._database[ACCOUNTS], 0, 0
        for here in list(accounts.find()):
            if is_forgotten(here, removals.get(user_key(here["_id"]), 0.0)):
                deleted += accounts.delete_one({"_id": here["_id"]}).deleted_count
        for name, there in mirrored.accounts.items():
            stands = not is_forgotten(there, removals.get(user_key(name), 0.0))
            if stands and is_newer(there, accounts.find_one({"_id": name})):
                accounts.replace_one({"_id": name}, there, upsert=True)
                restored += 1
        self.sync()
        return restored, deleted

    def _state(self) -> object:
        """Return what changes whenever there is something to do."""
        accounts = self._database[ACCOUNTS].find({}, {"changed_at": 1, "created_at": 1})
        newest = self._database[REMOVALS].find_one({}, {"removed_at": 1}, sort=[("removed_at", -1)])
        topic = offsets.whole_topic(self._config, self._topic)
        return (
            sorted((each["_id"], changed_at(each)) for each in accounts),
            self._database[REMOVALS].estimated_document_count(),
            newest,
            topic.topic_id,
            topic.ends,
        )

    def _send(self, messages: dict[str, Document | float | None]) -> None:
        if not messages:
            return
        encoded = {
            key.encode(): None if value is None else json_util.dumps(value).encode()
            for key, value in messages.items()
        }
        try:
            with kafka.producing(self._config) as producer:
                sent = [producer.send(self._topic, key=key, value=value) for key, value in encoded.items()]
                for future in sent:
                    future.get(timeout=ACKNOWLEDGED_S)
        except KafkaError as error:
            raise ServiceUnavailableError(f"Kafka did not take the mirror of accounts: {error!r}") from error


def is_forgotten(account: Document | None, forgotten_at: float) -> bool:
    """Return whether the user of an account was forgotten after its last change."""
    return account is not None and changed_at(account).timestamp() <= forgotten_at


def is_newer(there: Document | None, here: Document | None) -> bool:
    """Return whether the mirrored account is newer than the one of MongoDB, or the only one."""
    return there is not None and (here is None or changed_at(there) > changed_at(here))


class Mirroring:
    """A thread of the API that keeps the mirror up to date.

    Parameters
    ----------
    mirror
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        """Start mirroring."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current comparison."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        failed = False
        while not self._stopping.is_set():
            try:
                self._mirror.sync()
                failed = False
            except Exception as error:  # of any kind, because nobody would notice that the thread has ended
                known = isinstance(error, (ServiceUnavailableError, PyMongoError))
                if not failed:  # log the error once, not at every attempt
                    log.warning("The mirror of accounts waits: %s", error, exc_info=None if known else error)
                failed = True
            self._stopping.wait(SYNC_S)
