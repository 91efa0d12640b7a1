"""Last.fm's protocols, for players that speak no other: the web service at ``/2.0/`` and the submissions of 1.2.

Both hand their listens to what takes ListenBrainz's: the same checks, the same writer, the same identity.
"""

from __future__ import annotations

from fastapi import FastAPI


def include(app: FastAPI) -> None:
    """Serve both protocols beside the rest of `app`."""
    # Not above, since these need the context, and the context needs `sessions`, which is beside them.
    from segue.api.audioscrobbler import authorizing, submissions, web_service

    for module in (web_service, submissions, authorizing):
        app.include_router(module.router)
