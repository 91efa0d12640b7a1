"""Sessions of Last.fm's protocols and of browsers. They are stored with the account, and end with its token.

To sign in, a player presents a secret: the token, its MD5 if the user has allowed that, or a request token that
the user has confirmed. The session key is derived from the secret. So signing in again returns the same key, and
the list of sessions does not grow. The database stores only the SHA-256 of a key.

A browser may also present a code, which is valid once, for `CODE_S` seconds. Its session key is random.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any
from urllib.parse import quote

from pymongo.database import Database

from segue.api.accounts import COLLECTION, AccountError, digest
from segue.settings import Settings

CODE_S = 600.0


class Sessions:
    """The sessions in the collection ``accounts``.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._accounts = database[COLLECTION]

    def of(self, key: str) -> str | None:
        """Return the user of a session, or None if the session does not exist or has ended."""
        account = self._accounts.find_one({"sessions": digest(key)}, {"_id": 1})
        return str(account["_id"]) if account else None

    def open_by_token(self, user_name: str, token: str, secret: str | None = None) -> str | None:
        """Open a session for a player that presents the token.

        Parameters
        ----------
        user_name, token
            The user, and the token presented.
        secret
            The secret from which the key is derived; by default the token.

        Returns
        -------
        str or None
            The session key, or None if the token is not the user's.
        """
        return self._open({"_id": user_name, "token_sha256": digest(token)}, secret or token)

    def open_by_md5(self, user_name: str, md5: str) -> str | None:
        """Open a session for a player that presents the MD5 of the token.

        Returns
        -------
        str or None
            The session key, or None if the MD5 is not the user's, or the user has not allowed signing in by MD5.
        """
        return self._open({"_id": user_name, "token_md5": md5}, md5)

    def open_in_browser(self, user_name: str, token: str) -> str | None:
        """Open a session for the browser of a user that presents the token; see :meth:`open_by_token`.

        Its key differs from those of players, so that signing out ends no session of a player.
        """
        return self.open_by_token(user_name, token, f"browser {token}")

    def make_code(self, user_name: str) -> str:
        """Make a code with which a browser can sign in once. It replaces an earlier one.

        Returns
        -------
        str
            The code, which has 128 random bits.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        code = secrets.token_urlsafe(16)
        offered = {"sha256": digest(code), "until": time.time() + CODE_S}
        if not self._accounts.update_one({"_id": user_name}, {"$set": {"sign_in": offered}}).matched_count:
            raise AccountError(f"There is no user {user_name!r}. `segue users add` creates one.")
        return code

    def open_by_code(self, code: str) -> tuple[str, str] | None:
        """Open a session for a browser that presents a code.

        Returns
        -------
        tuple of str, or None
            The user and the session key. None if the code was used before, is too old, or is none.
        """
        key = session_key(secrets.token_hex())
        offered = {"sign_in.sha256": digest(code), "sign_in.until": {"$gt": time.time()}}
        used = {"$unset": {"sign_in": ""}, "$addToSet": {"sessions": digest(key)}}
        account = self._accounts.find_one_and_update(offered, used, {"_id": 1})
        return (str(account["_id"]), key) if account else None

    def close(self, key: str) -> None:
        """End a session."""
        hashed = digest(key)
        self._accounts.update_one({"sessions": hashed}, {"$pull": {"sessions": hashed}})

    def md5_of(self, user_name: str) -> str | None:
        """Return the MD5 of a user's token, or None if the user has not allowed signing in by MD5."""
        account = self._accounts.find_one({"_id": user_name}, {"token_md5": 1}) or {}
        return account.get("token_md5")

    def allow_md5(self, user_name: str, token: str) -> None:
        """Store the MD5 of the token, so that old players can sign in.

        Raises
        ------
        AccountError
            If the token is not the user's.
        """
        account = {"_id": user_name, "token_sha256": digest(token)}
        if not self._accounts.update_one(account, {"$set": {"token_md5": md5_hex(token)}}).matched_count:
            raise AccountError(f"This is not the token of {user_name!r}. `segue users rotate` creates a new one.")

    def forbid_md5(self, user_name: str) -> None:
        """Delete the MD5 of the token, and end the sessions that were opened with it."""
        md5 = self.md5_of(user_name)
        if md5 is not None:
            ended = {"$unset": {"token_md5": ""}, "$pull": {"sessions": digest(session_key(md5))}}
            self._accounts.update_one({"_id": user_name}, ended)

    def _open(self, account: dict[str, Any], secret: str) -> str | None:
        key = session_key(secret)
        kept = self._accounts.update_one(account, {"$addToSet": {"sessions": digest(key)}})
        return key if kept.matched_count else None


def page_address(database: Database[dict[str, Any]], settings: Settings, user_name: str) -> str:
    """Return the address of a user's page on this machine, with a code that signs a browser in.

    The code comes after ``#``: browsers send it to no server, so it is in no log.

    Raises
    ------
    AccountError
        If there is no such user.
    """
    code = Sessions(database).make_code(user_name)
    return f"http://127.0.0.1:{settings.api_port}/u/{quote(user_name)}#code={code}"


def session_key(secret: str) -> str:
    """Derive the key of a session from a secret: 32 hexadecimal digits, like Last.fm's keys."""
    return hmac.new(secret.encode(), b"segue session", hashlib.sha256).hexdigest()[:32]


def md5_hex(text: str) -> str:
    """Return the MD5 of a text in hexadecimal digits, as Last.fm's protocols use it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
