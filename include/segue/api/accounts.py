"""User accounts and their tokens.

A token is shown once and stored only as its SHA-256. It has 122 random bits, so even a fast hash cannot be
reversed by guessing. It has the form of ListenBrainz's tokens, a UUID, because some players check that.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from segue.errors import SegueError

COLLECTION = "accounts"
USER_NAME = re.compile(r"[\w][\w .-]{0,63}")
CACHED_S = 5.0
"""How long the API trusts the answer of the database about a token. A revoked token works at most this long."""

_UNSET_SESSIONS = {"sessions": "", "token_md5": "", "sign_in": ""}
"""Fields that are deleted with a token, see `segue.api.sessions`."""


class AccountError(SegueError):
    """An account cannot be created, found or changed."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the API."""

    user_name: str
    created_at: datetime
    active: bool
    public: bool


class Accounts:
    """The collection ``accounts``.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._accounts = database[COLLECTION]

    def add(self, user_name: str) -> str:
        """Create an account.

        Returns
        -------
        str
            The token. It cannot be shown again.

        Raises
        ------
        AccountError
            If the name is not allowed, or is taken.
        """
        if not USER_NAME.fullmatch(user_name):
            raise AccountError(
                f"{user_name!r} cannot be a user name. Use 1 to 64 letters, digits, spaces, '_', '.' or '-', and "
                "begin with a letter, a digit or '_'."
            )
        if (taken := self.find(user_name)) is not None and taken.user_name != user_name:
            raise AccountError(
                f"There is already a user {taken.user_name!r}. Names that differ only in case are the "
                "same; choose another."
            )
        token = str(uuid.uuid4())
        try:
            self._accounts.insert_one(_new(user_name) | _secret(token))
        except DuplicateKeyError as error:
            raise AccountError(
                f"There is already a user {user_name!r}. `segue users rotate` creates a new token."
            ) from error
        return token

    def add_simulated(self, user_name: str) -> None:
        """Create the account of a simulated listener, which has no token. If it exists, it stays as it is."""
        with suppress(DuplicateKeyError):
            self._accounts.insert_one(_new(user_name) | {"simulated": True})

    def is_real(self, user_name: str) -> bool:
        """Return whether there is a user of exactly this name who is not a simulated listener."""
        return self._accounts.find_one({"_id": user_name, "simulated": {"$ne": True}}, {"_id": 1}) is not None

    def rotate(self, user_name: str) -> str:
        """Replace the token of a user; the old token becomes invalid.

        Returns
        -------
        str
            The new token.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        token = str(uuid.uuid4())
        self._change(user_name, {"$set": _secret(token), "$unset": {**_UNSET_SESSIONS, "simulated": ""}})
        return token

    def revoke(self, user_name: str) -> None:
        """Delete the token of a user; the listens stay.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        self._change(user_name, {"$unset": {"token_key": "", "token_sha256": "", **_UNSET_SESSIONS}})

    def remove(self, user_name: str) -> bool:
        """Delete an account, and return whether it existed."""
        return bool(self._accounts.delete_one({"_id": user_name}).deleted_count)

    def all(self) -> list[Account]:
        """Return all accounts, sorted by name."""
        return [_account(document) for document in self._accounts.find().sort("_id")]

    def exists(self, user_name: str) -> bool:
        """Return whether there is a user of exactly this name, case included."""
        return self._accounts.find_one({"_id": user_name}, {"_id": 1}) is not None

    def find(self, user_name: str) -> Account | None:
        """Find a user by name, ignoring case; an exact match wins. Return None if there is none."""
        document = self._accounts.find_one({"_id": user_name})
        if document is None:
            document = self._accounts.find_one({"folded": user_name.casefold()})
        return _account(document) if document else None

    def set_public(self, user_name: str, public: bool) -> None:
        """Choose whether everybody can read the listens, statistics and feedback of a user, or only the user.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        self._change(user_name, {"$set": {"public": public}})

    def of_token(self, token: str) -> str | None:
        """Return the name of the user whose token this is, or None.

        The first half of the hash finds the document. The whole hash is compared in constant time.
        """
        wanted = _secret(token)
        for document in self._accounts.find({"token_key": wanted["token_key"]}):
            if hmac.compare_digest(document["token_sha256"], wanted["token_sha256"]):
                return str(document["_id"])
        return None

    def latest_import(self, user_name: str, service: str) -> int:
        """Return the time up to which the user has imported from a service, in seconds since 1970; 0 if never."""
        account = self._accounts.find_one({"_id": user_name}, {"imports": 1}) or {}
        return int(account.get("imports", {}).get(service, 0))

    def note_import(self, user_name: str, service: str, listened_at: int) -> None:
        """Record that the user has imported up to a time, in seconds since 1970. Earlier times change nothing."""
        if self.exists(user_name):
            self._change(user_name, {"$max": {f"imports.{service}": listened_at}})

    def last_change(self, user_name: str) -> datetime | None:
        """Return when an account was changed last. None if there is none."""
        account = self._accounts.find_one({"_id": user_name}, {"changed_at": 1, "created_at": 1})
        return changed_at(account) if account else None

    def _change(self, user_name: str, change: dict[str, dict[str, Any]]) -> None:
        """Change an account, and note when.

        The clock may have been set back since the last change. The new time is later all the same, because the
        mirror of accounts takes the later version for the newer one.
        """
        now, last = datetime.now(UTC), self.last_change(user_name)
        if last is not None:
            now = max(now, last + timedelta(milliseconds=1))
        dated = change | {"$set": {**change.get("$set", {}), "changed_at": now}}
        if not self._accounts.update_one({"_id": user_name}, dated).matched_count:
            raise _unknown(user_name)

    def create_indexes(self) -> None:
        """Create the indexes, and add the field ``folded`` to accounts of earlier versions."""
        self._accounts.create_index("token_key", sparse=True)
        self._accounts.create_index("sessions", sparse=True)
        self._accounts.create_index("folded", sparse=True)
        for document in self._accounts.find({"folded": {"$exists": False}}, {"_id": 1}):
            folded = str(document["_id"]).casefold()
            self._accounts.update_one({"_id": document["_id"]}, {"$set": {"folded": folded}})


class TokenCache:
    """A cache of the users of tokens or sessions, so that most requests need no database query.

    Parameters
    ----------
    find_user
        Returns the user of a token or session key, or None.
    size
        Largest number of cached tokens.
    """

    def __init__(self, find_user: Callable[[str], str | None], size: int = 10_000) -> None:
        self._find_user = find_user
        self._size = size
        self._tokens: dict[bytes, tuple[float, str | None]] = {}

    def fresh(self, token: str) -> tuple[bool, str | None]:
        """Return the cached user of a token.

        Returns
        -------
        fresh : bool
            Whether there is an entry that has not expired.
        user_name : str or None
            The user. None if the token is invalid or there is no fresh entry.
        """
        asked_at, user_name = self._tokens.get(digest(token), (-math.inf, None))
        fresh = time.monotonic() - asked_at < CACHED_S
        return fresh, user_name if fresh else None

    def was_valid(self, token: str) -> bool:
        """Return whether the token was valid at its last query, however long ago that was."""
        return self._tokens.get(digest(token), (0.0, None))[1] is not None

    def forget(self, token: str) -> None:
        """Forget what is known about a token, which has just ended."""
        self._tokens.pop(digest(token), None)

    def look_up(self, token: str) -> str | None:
        """Query the database for the user of a token, and cache the answer.

        The entry expires `CACHED_S` after the beginning of the query, because the token may be revoked while the
        query is under way. A query that takes longer than `CACHED_S` fails, because its answer would be too old.

        Raises
        ------
        pymongo.errors.PyMongoError
            If the database does not answer within `CACHED_S`.
        """
        asked_at = time.monotonic()
        with pymongo.timeout(CACHED_S):
            user_name = self._find_user(token)
        if len(self._tokens) >= self._size:
            # Evict invalid tokens first, so that guesses do not evict the tokens of users. A token that was valid
            # is always looked up again, even if its address has exceeded its limit.
            users = {hashed: found for hashed, found in self._tokens.items() if found[1] is not None}
            self._tokens = users if len(users) < self._size else {}
        self._tokens[digest(token)] = (asked_at, user_name)
        return user_name


def digest(secret: str) -> bytes:
    """Return the SHA-256 of a token or session key, as it is stored."""
    return hashlib.sha256(secret.encode()).digest()


def changed_at(account: Mapping[str, Any]) -> datetime:
    """Return when an account was changed last. Documents of earlier versions state only when it was created."""
    changed: datetime = account.get("changed_at", account["created_at"])
    return changed if changed.tzinfo else changed.replace(tzinfo=UTC)


def _new(user_name: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"_id": user_name, "folded": user_name.casefold(), "created_at": now, "changed_at": now}


def _secret(token: str) -> dict[str, bytes]:
    hashed = digest(token)
    return {"token_key": hashed[:16], "token_sha256": hashed}


def _account(document: dict[str, Any]) -> Account:
    public = bool(document.get("public", False))
    return Account(document["_id"], document["created_at"], "token_sha256" in document, public)


def _unknown(user_name: str) -> AccountError:
    return AccountError(
        f"There is no user {user_name!r}. `segue users list` lists the users, `segue users add` creates one."
    )
