"""The web service at ``/2.0/``. It has one URL for all methods; a parameter names the method."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from segue.api.access import Ctx
from segue.api.audioscrobbler.call import Call
from segue.api.audioscrobbler.form import Form, read_form
from segue.api.audioscrobbler.methods import METHODS, POSTED
from segue.api.audioscrobbler.responses import Code, Document, LastfmError, failed, invalid, ok
from segue.api.context import Context
from segue.api.errors import ApiError
from segue.listens.writer import NotWritten

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)


@router.api_route("/2.0/", methods=["GET", "POST"])
async def web_service(request: Request, ctx: Ctx) -> Response:
    """Call a method, and answer in JSON or XML as the parameters request."""
    json = request.query_params.get("format", "").lower() == "json"
    try:
        form = await read_form(request)
        json = form.text.get("format", "").lower() == "json"
        return ok(await _call(request, ctx, form), json=json)
    except LastfmError as refused:
        return failed(refused, json=json)
    except ApiError as error:  # from the rate limit
        return failed(_too_many(error), json=json)
    except (NotWritten, PyMongoError) as error:
        log.warning("%s", error)
        away = LastfmError(Code.TRY_AGAIN, "listens cannot be stored right now, so send this again.")
        return failed(away, json=json)


async def _call(request: Request, ctx: Context, form: Form) -> Document:
    parameters = form.text
    name = parameters.get("method", "").lower()
    method = METHODS.get(name)
    if method is None:
        raise LastfmError(Code.INVALID_METHOD, f"{parameters.get('method', '')[:100]!r} is not supported.")
    if name in POSTED and request.method != "POST":
        raise invalid(f"send {parameters['method']} by POST.")
    secret = ctx.settings.lastfm_secrets.get(parameters.get("api_key", ""))
    if secret is None:
        raise LastfmError(
            Code.INVALID_API_KEY,
            f"{parameters.get('api_key', '')[:100]!r} is not known to this server; its operator can add the key "
            "and its shared secret to SEGUE_LASTFM_KEYS.",
        )
    signed = "api_sig" in parameters
    if signed and not form.is_signed_with(secret):
        raise LastfmError(
            Code.INVALID_SIGNATURE,
            "the player's shared secret differs from the one that SEGUE_LASTFM_KEYS has for its API key.",
        )
    return await method(Call(request, ctx, parameters, signed))


def _too_many(error: ApiError) -> LastfmError:
    """Convert an error of the rate limit.

    Submissions get code 16, because players discard what is refused with 29.
    """
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        return LastfmError(Code.TRY_AGAIN, "requests come too fast, so send this again later.")
    return LastfmError(Code.RATE_LIMIT, "wait ten seconds.")
