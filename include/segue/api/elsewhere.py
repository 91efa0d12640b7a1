"""What players ask for and Segue does not keep: empty lists of the right form, so that they go on.

Following, pins and playlists belong to ListenBrainz's social side. A player that gets a 404 for them may show an
error instead of the listens.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from segue.api import schemas
from segue.api.access import Owner, User
from segue.api.errors import ApiError, not_found

router = APIRouter(prefix="/1", tags=["kept elsewhere"], responses=schemas.REFUSALS)

Offset = Annotated[int, Query(ge=0, lt=2**31)]


@router.get("/user/{user_name}/following", summary="Nobody")
async def following(user: Owner) -> JSONResponse:
    """Answer that the user follows nobody."""
    return JSONResponse({"following": [], "user": user})


@router.get("/user/{user_name}/followers", summary="Nobody")
async def followers(user: Owner) -> JSONResponse:
    """Answer that nobody follows the user."""
    return JSONResponse({"followers": [], "user": user})


@router.get("/user/{user_name}/playlists", summary="No playlists")
@router.get("/user/{user_name}/playlists/createdfor", summary="No playlists")
@router.get("/user/{user_name}/playlists/collaborator", summary="No playlists")
async def playlists(user: Owner, offset: Offset = 0) -> JSONResponse:
    """Answer that there are no playlists."""
    del user
    return JSONResponse({"playlists": [], "count": 0, "offset": offset, "playlist_count": 0})


@router.get("/playlist/{playlist_mbid}", summary="No playlist")
async def playlist(_: User, playlist_mbid: str) -> JSONResponse:
    """Answer that there is no such playlist."""
    raise not_found(f"Cannot find playlist: {playlist_mbid}")


@router.get("/{user_name}/pins", summary="No pins")
async def pins(user: Owner, offset: Offset = 0) -> JSONResponse:
    """Answer that nothing is pinned."""
    return JSONResponse(
        {"pinned_recordings": [], "total_count": 0, "count": 0, "offset": offset, "user_name": user}
    )


@router.get("/{user_name}/pins/current", summary="No pin")
async def current_pin(user: Owner) -> JSONResponse:
    """Answer that nothing is pinned."""
    return JSONResponse({"pinned_recording": None, "user_name": user})


@router.post("/pin", summary="Refused: Segue keeps no pins")
@router.post("/pin/unpin", summary="Refused: Segue keeps no pins")
async def pin(_: User) -> JSONResponse:
    """Refuse politely."""
    raise _no_pins()


@router.post("/pin/delete/{row_id}", summary="Refused: Segue keeps no pins")
async def deleted_pin(_: User, row_id: int) -> JSONResponse:
    """Refuse politely."""
    del row_id
    raise _no_pins()


def _no_pins() -> ApiError:
    return not_found("Segue keeps no pinned recordings, so nothing was changed. Love the recording instead.")
