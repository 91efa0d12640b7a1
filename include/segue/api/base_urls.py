"""Any base URL that a person may type into a player: the path is put right before it is looked up.

Some players add ``/1/submit-listens`` to what they are given, some ``submit-listens``, some nothing. People type
the host, the host with ``/1/``, or the whole URL that submits. All of these mean the same here, without a
redirect: most players do not follow one with a POST.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

SUBMIT = "submit-listens"
LASTFM = "2.0"


class AnyBaseUrl:
    """ASGI middleware that rewrites the path of a request.

    Parameters
    ----------
    app
        What answers.
    paths
        Of its routes, such as ``/1/user/{user_name}/listens``.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        heads = {path.split("/")[2] for path in paths if path.startswith("/1/")}
        self._heads = frozenset(head for head in heads if not head.startswith("{"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            # In place: what is around this one reads the route that is found.
            scope["path"] = self.canonical(scope["method"], scope["path"])
        await self._app(scope, receive, send)

    def canonical(self, method: str, path: str) -> str:
        """Find the path that is meant.

        Parameters
        ----------
        method, path
            Of a request.

        Returns
        -------
        str
            ``/1/…`` for whatever may be an endpoint of ListenBrainz, ``/2.0/`` for Last.fm's, ``/`` for a base URL
            that is only read; others with single slashes.
        """
        parts = [part for part in path.split("/") if part]
        base = 0
        while base < len(parts) and (parts[base] == "1" or (parts[base] == SUBMIT and base + 1 < len(parts))):
            base += 1
        endpoint = parts[base:]
        if not endpoint:
            return f"/1/{SUBMIT}" if method == "POST" else "/"
        if set(endpoint) == {LASTFM}:
            return f"/{LASTFM}/"
        if base or endpoint[0] in self._heads:
            return "/1/" + "/".join(endpoint)
        return re.sub("//+", "/", path)
