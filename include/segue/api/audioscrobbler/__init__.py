"""Last.fm's protocols, for players that speak no other: the web service at ``/2.0/``, and submissions 1.2.

Both pass their listens to the code for ListenBrainz's listens. So the same checks apply, the same writer stores
them, and the same play gets the same id.
"""

from __future__ import annotations

from fastapi import FastAPI

from segue.api.audioscrobbler import authorization_page, realtime_submissions, web_service


def include(app: FastAPI) -> None:
    """Add the routes of both protocols to `app`."""
    for module in (web_service, realtime_submissions, authorization_page):
        app.include_router(module.router)
