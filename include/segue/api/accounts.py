"""Accounts: who may submit. A token is shown once and kept only as its SHA-256.

A token is 122 random bits, so a fast hash cannot be guessed backwards; it looks like ListenBrainz's (a UUID),
which some players check.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from segue.errors import SegueError

COLLECTION = "accounts"
USER_NAME = re.compile(r"[\w][\w .-]{0,63}")
TRUSTED_S = 5.0
"""How long the API trusts what it has looked up: a revoked token works at most this long."""

_OF_A_TOKEN = {"sessions": "", "token_md5": ""}
"""What ends with a token; see `audioscrobbler.sessions`."""


class AccountError(SegueError):
    """An account cannot be made, found or changed."""


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
        """Make an account.

        Returns
        -------
        str
            The token, which cannot be shown again.

        Raises
        ------
        AccountError
            If the name cannot be one, or is taken.
        """
        if not USER_NAME.fullmatch(user_name):
            raise AccountError(
                f"{user_name!r} cannot be a user name: use 1 to 64 letters, digits, spaces, '_', '.' or '-', "
                "with a letter, digit or '_' first."
            )
        if (taken := self.find(user_name)) is not None and taken.user_name != user_name:
            raise AccountError(
                f"There is a user {taken.user_name!r} already. The case of a name does not matter: choose another."
            )
        token = str(uuid.uuid4())
        account = {"_id": user_name, "folded": user_name.casefold(), "created_at": datetime.now(UTC)}
        try:
            self._accounts.insert_one(account | _secret(token))
        except DuplicateKeyError as error:
            raise AccountError(
                f"There is a user {user_name!r} already: `segue users rotate` makes a new token."
            ) from error
        return token

    def rotate(self, user_name: str) -> str:
        """Replace the token; the old one is refused from now on.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        token = str(uuid.uuid4())
        replaced = {"$set": _secret(token), "$unset": _OF_A_TOKEN}
        if not self._accounts.update_one({"_id": user_name}, replaced).matched_count:
            raise _unknown(user_name)
        return token

    def revoke(self, user_name: str) -> None:
        """Take the token away; what was submitted stays.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        nothing = {"$unset": {"token_key": "", "token_sha256": "", **_OF_A_TOKEN}}
        if not self._accounts.update_one({"_id": user_name}, nothing).matched_count:
            raise _unknown(user_name)

    def remove(self, user_name: str) -> bool:
        """Remove the account; tell whether there was one."""
        return bool(self._accounts.delete_one({"_id": user_name}).deleted_count)

    def all(self) -> list[Account]:
        """List the accounts by name."""
        return [_account(document) for document in self._accounts.find().sort("_id")]

    def exists(self, user_name: str) -> bool:
        """Tell whether there is such a user, spelled exactly so."""
        return self._accounts.find_one({"_id": user_name}, {"_id": 1}) is not None

    def find(self, user_name: str) -> Account | None:
        """Find a user, whatever the case of the letters; the exact spelling goes first."""
        document = self._accounts.find_one({"_id": user_name})
        if document is None:
            document = self._accounts.find_one({"folded": user_name.casefold()})
        return _account(document) if document else None

    def set_public(self, user_name: str, public: bool) -> None:
        """Let everybody read the listens, counts and loves of a user, or only the user's own token.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        if not self._accounts.update_one({"_id": user_name}, {"$set": {"public": public}}).matched_count:
            raise _unknown(user_name)

    def of_token(self, token: str) -> str | None:
        """Name the user of a token; None if it is nobody's.

        The first half of the hash finds the document, the whole is compared in constant time.
        """
        wanted = _secret(token)
        for document in self._accounts.find({"token_key": wanted["token_key"]}):
            if hmac.compare_digest(document["token_sha256"], wanted["token_sha256"]):
                return str(document["_id"])
        return None

    def latest_import(self, user_name: str, service: str) -> int:
        """Read until when the user has imported from a service, in seconds since 1970; 0 if never."""
        account = self._accounts.find_one({"_id": user_name}, {"imports": 1}) or {}
        return int(account.get("imports", {}).get(service, 0))

    def note_import(self, user_name: str, service: str, listened_at: int) -> None:
        """Note that the user has imported until then; never backwards."""
        self._accounts.update_one({"_id": user_name}, {"$max": {f"imports.{service}": listened_at}})

    def create_indexes(self) -> None:
        """Make looking up a token, a session or a name quick; complete the accounts of earlier versions."""
        self._accounts.create_index("token_key", sparse=True)
        self._accounts.create_index("sessions", sparse=True)
        self._accounts.create_index("folded", sparse=True)
        for document in self._accounts.find({"folded": {"$exists": False}}, {"_id": 1}):
            folded = str(document["_id"]).casefold()
            self._accounts.update_one({"_id": document["_id"]}, {"$set": {"folded": folded}})


class RememberedAccounts:
    """What the API has looked up in the last seconds, so that the database is not asked at every request.

    Parameters
    ----------
    of_secret
        Names the user of a token or of a session; None if it is nobody's.
    size
        Secrets remembered at most.
    """

    def __init__(self, of_secret: Callable[[str], str | None], size: int = 10_000) -> None:
        self._of_secret = of_secret
        self._size = size
        self._tokens: dict[bytes, tuple[float, str | None]] = {}

    def remembered(self, token: str) -> tuple[bool, str | None]:
        """Tell whether the token is remembered, and whose it is or was when that was last asked."""
        until, user_name = self._tokens.get(digest(token), (0.0, None))
        return until > time.monotonic(), user_name

    def look_up(self, token: str) -> str | None:
        """Ask the database whose token it is, and remember the answer."""
        user_name = self._of_secret(token)
        if len(self._tokens) >= self._size:
            # Guesses go, users stay: they may be asked for however much is guessed at their address.
            users = {hashed: found for hashed, found in self._tokens.items() if found[1] is not None}
            self._tokens = users if len(users) < self._size else {}
        self._tokens[digest(token)] = (time.monotonic() + TRUSTED_S, user_name)
        return user_name


def digest(secret: str) -> bytes:
    """Hash a token or a session's key as it is kept."""
    return hashlib.sha256(secret.encode()).digest()


def _secret(token: str) -> dict[str, bytes]:
    hashed = digest(token)
    return {"token_key": hashed[:16], "token_sha256": hashed}


def _account(document: dict[str, Any]) -> Account:
    public = bool(document.get("public", False))
    return Account(document["_id"], document["created_at"], "token_sha256" in document, public)


def _unknown(user_name: str) -> AccountError:
    return AccountError(
        f"There is no user {user_name!r}: `segue users list` shows all, `segue users add` makes one."
    )
