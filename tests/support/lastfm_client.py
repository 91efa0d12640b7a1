"""A player of Last.fm's protocol for tests: it signs what it sends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import httpx

SECRET = "segue"  # noqa: S105 - the default of SEGUE_LASTFM_KEYS


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Player:
    """A player at a server.

    Parameters
    ----------
    url
        Of the server.
    session
        Key of the session; empty before signing in.
    """

    url: str
    session: str = ""
    secret: str = SECRET
    parameters: dict[str, str] = field(default_factory=lambda: {"api_key": "segue", "format": "json"})

    def sign_in(self, user: str, token: str) -> None:
        answer = self.call("auth.getMobileSession", username=user, password=token)
        assert answer.status_code == 200, answer.text
        self.session = answer.json()["session"]["key"]

    def call(self, method: str, *, get: bool = False, **parameters: Any) -> httpx.Response:
        given = {"method": method, **self.parameters, **{k: str(v) for k, v in parameters.items()}}
        if self.session:
            given["sk"] = self.session
        signed = "".join(f"{k}{given[k]}" for k in sorted(given) if k != "format")
        given["api_sig"] = md5(signed + self.secret)
        if get:
            return httpx.get(f"{self.url}/2.0/", params=given, timeout=30)
        return httpx.post(f"{self.url}/2.0/", data=given, timeout=30)

    def scrobble(self, *plays: tuple[str, str, object]) -> httpx.Response:
        batch = {}
        for i, (artist, track, timestamp) in enumerate(plays):
            batch |= {f"artist[{i}]": artist, f"track[{i}]": track, f"timestamp[{i}]": timestamp}
        return self.call("track.scrobble", **batch)
