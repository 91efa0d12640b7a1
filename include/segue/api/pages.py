"""The pages of listeners, at ``/`` and ``/u/{user_name}``, and the files that they load.

Both addresses have the same document: the script in it reads its own address. `web/` has the source, and
`make web` builds it into the folder `static`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")
DOCUMENT = STATIC / "index.html"

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


class BuiltFiles(StaticFiles):
    """The files of `static`. Browsers keep them, and ask each time whether they have changed."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    def file_response(self, full_path: Any, stat_result: os.stat_result, *args: Any, **kwargs: Any) -> Response:
        """Return a file, or 304 if the browser has it."""
        response = super().file_response(full_path, stat_result, *args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def document(**headers: str) -> HTMLResponse:
    """Return the document of the pages."""
    return HTMLResponse(DOCUMENT.read_text(encoding="utf-8"), headers=HEADERS | headers)


@router.get("/u/{user_name}", response_class=HTMLResponse)
async def page(user_name: str) -> HTMLResponse:
    """Return the page of a listener. It asks for the listener's token once."""
    del user_name  # the page reads it from its own address
    return document()
