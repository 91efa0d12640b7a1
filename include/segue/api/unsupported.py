"""Routes of ListenBrainz that Segue does not support: they return empty lists of the right form.

Following, pins and playlists of one's own are social features of ListenBrainz. A player that gets a 404 for them
may show an error instead of the listens. Playlists that Segue makes are in `segue.api.playlists`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from segue.api import schemas
from segue.api.access import Owner, User
from segue.api.errors import ApiError, not_found

router = APIRouter(prefix="/1", tags=["unsupported"], responses=schemas.REFUSALS)

Offset = Annotated[int, Query(ge=0, lt=2**31)]


@router.get("/user/{user_name}/following", summary="Empty: users that a user follows")
async def following(user: Owner) -> JSONResponse:
    """Return an empty list: the user follows nobody."""
    return JSONResponse({"following": [], "user": user})


@router.get("/user/{user_name}/followers", summary="Empty: followers of a user")
async def followers(user: Owner) -> JSONResponse:
    """Return an empty list: nobody follows the user."""
    return JSONResponse({"followers": [], "user": user})


@router.get("/user/{user_name}/playlists", summary="Empty: playlists of a user")
@router.get("/user/{user_name}/playlists/collaborator", summary="Empty: playlists a user collaborates on")
async def playlists(user: Owner, offset: Offset = 0) -> JSONResponse:
    """Return an empty list of playlists."""
    del user
    return JSONResponse({"playlists": [], "count": 0, "offset": offset, "playlist_count": 0})


@router.get("/{user_name}/pins", summary="Empty: pinned recordings of a user")
async def pins(user: Owner, offset: Offset = 0) -> JSONResponse:
    """Return an empty list of pinned recordings."""
    return JSONResponse(
        {"pinned_recordings": [], "total_count": 0, "count": 0, "offset": offset, "user_name": user}
    )


@router.get("/{user_name}/pins/current", summary="Empty: current pinned recording of a user")
async def current_pin(user: Owner) -> JSONResponse:
    """Return null: nothing is pinned."""
    return JSONResponse({"pinned_recording": None, "user_name": user})


@router.post("/pin", summary="Always 404: pin a recording")
@router.post("/pin/unpin", summary="Always 404: unpin a recording")
async def pin(_: User) -> JSONResponse:
    """Answer 404: Segue does not store pins."""
    raise _no_pins()


@router.post("/pin/delete/{row_id}", summary="Always 404: delete a pin")
async def deleted_pin(_: User, row_id: int) -> JSONResponse:
    """Answer 404: Segue does not store pins."""
    del row_id
    raise _no_pins()


def _no_pins() -> ApiError:
    return not_found("Segue does not store pinned recordings, so nothing was changed. Love the recording instead.")
