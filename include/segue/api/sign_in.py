"""Routes with which the page of a listener signs in and out. Scripts cannot read the cookie of the session."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from segue.api import schemas
from segue.api.access import COOKIE, Ctx, cookie_key, user_of
from segue.api.sessions import Sessions

KEPT_S = 180 * 24 * 3600
"""How long a browser keeps the cookie. The session also ends when the token does."""

router = APIRouter(tags=["sign in"], responses=schemas.REFUSALS)


class SignIn(BaseModel):
    """What a browser presents: the token of the user, or a code of `segue users link`."""

    model_config = ConfigDict(extra="forbid")

    token: str | None = Field(None, max_length=200)
    code: str | None = Field(None, max_length=200)


@router.get("/v1/sign-in", summary="Who is signed in")
async def signed_in(request: Request, ctx: Ctx) -> JSONResponse:
    """Return in `user_name` whose session the request's cookie has, or null. The status is 200 either way."""
    key = cookie_key(request)
    return JSONResponse({"user_name": await user_of(request, key, ctx.session_cache)})


@router.post("/v1/sign-in", summary="Sign a browser in")
async def sign_in(request: Request, ctx: Ctx, presented: SignIn) -> JSONResponse:
    """Open a session, whose key is in a cookie of the answer.

    If the token or the code is refused, `user_name` is null and `refused` says why. The status is 200 all the
    same, because browsers write each other status to the console as an error of the page.

    Other origins cannot read the answer or send the cookie. Players have no use for this: they send the token.
    """
    sessions = Sessions(ctx.mongo[ctx.settings.mongo_database])
    user, key = await user_of(request, presented.token or None), None
    if user is not None and presented.token:
        key = await run_in_threadpool(sessions.open_in_browser, user, presented.token)
    elif presented.code and (opened := await run_in_threadpool(sessions.open_by_code, presented.code)):
        user, key = opened
    if key is None:
        refused = (
            "This link was used before, or is older than 10 minutes."
            if presented.code
            else "Invalid authorization token."
        )
        return JSONResponse({"user_name": None, "refused": refused})
    answer = JSONResponse({"user_name": user})
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, key, max_age=KEPT_S, path="/", secure=secure, httponly=True, samesite="strict")
    return answer


@router.post("/v1/sign-out", summary="Sign a browser out", status_code=HTTPStatus.NO_CONTENT)
async def sign_out(request: Request, ctx: Ctx) -> Response:
    """End the session of the request's cookie."""
    await user_of(request, None)  # counts the request
    if key := cookie_key(request):
        await run_in_threadpool(Sessions(ctx.mongo[ctx.settings.mongo_database]).close, key)
        ctx.session_cache.forget(key)
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer
