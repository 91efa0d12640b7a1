"""Accept any base URL that a user may type into a player, by rewriting the path of a request.

Some players append ``/1/submit-listens`` to the base URL, some ``submit-listens``, some nothing. Users type the
host, the host with ``/1/``, or the whole URL of submit-listens. All of these work here. There is no redirect,
because most players do not follow one with a POST.
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
        The application.
    paths
        Paths of its routes, such as ``/1/user/{user_name}/listens``.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        heads = {path.split("/")[2] for path in paths if path.startswith("/1/")}
        self._heads = frozenset(head for head in heads if not head.startswith("{"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            # In place, because the middleware around this one reads the route that is found.
            scope["path"] = self.canonical(scope["method"], scope["path"])
        await self._app(scope, receive, send)

    def canonical(self, method: str, path: str) -> str:
        """Return the path of the route that is meant.

        Parameters
        ----------
        method, path
            HTTP method and path of a request.

        Returns
        -------
        str
            ``/1/…`` if the path may be an endpoint of ListenBrainz, ``/2.0/`` for Last.fm's, and ``/`` for a GET
            of the base URL. Any other path is returned with repeated slashes removed.
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
