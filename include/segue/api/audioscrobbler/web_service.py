"""``/2.0/``: one URL for all methods; which one is meant stands among the parameters."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pymongo.errors import PyMongoError

from segue.api.access import Ctx
from segue.api.audioscrobbler.answers import Code, Document, Refused, failed, invalid, ok
from segue.api.audioscrobbler.call import Call
from segue.api.audioscrobbler.form import Form, read_form
from segue.api.audioscrobbler.methods import METHODS, POSTED
from segue.api.context import Context
from segue.api.errors import RETRY_AFTER_S, ApiError
from segue.listens.writer import NotWritten

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)


@router.api_route("/2.0/", methods=["GET", "POST"])
async def web_service(request: Request, ctx: Ctx) -> Response:
    """Call a method; answer in the format that the parameters ask for."""
    json = request.query_params.get("format", "").lower() == "json"
    try:
        form = await read_form(request)
        json = form.text.get("format", "").lower() == "json"
        return ok(await _call(request, ctx, form), json=json)
    except Refused as refused:
        return failed(refused, json=json)
    except ApiError as error:  # of the rate limit
        return failed(_too_many(error), json=json)
    except (NotWritten, PyMongoError) as error:
        log.warning("%s", error)
        answer = failed(Refused(Code.TRY_AGAIN, "listens cannot be kept just now, so send this again."), json=json)
        answer.headers["Retry-After"] = RETRY_AFTER_S
        return answer


async def _call(request: Request, ctx: Context, form: Form) -> Document:
    parameters = form.text
    name = parameters.get("method", "").lower()
    method = METHODS.get(name)
    if method is None:
        raise Refused(Code.INVALID_METHOD, f"there is none named {parameters.get('method', '')[:100]!r} here.")
    if name in POSTED and request.method != "POST":
        raise invalid(f"send {parameters['method']} by POST.")
    secret = ctx.settings.lastfm_secrets.get(parameters.get("api_key", ""))
    if secret is None:
        raise Refused(
            Code.INVALID_API_KEY,
            f"{parameters.get('api_key', '')[:100]!r} is not known here, but whoever runs this server can add it "
            "with its shared secret to SEGUE_LASTFM_KEYS.",
        )
    signed = "api_sig" in parameters
    if signed and not form.is_signed_with(secret):
        raise Refused(
            Code.INVALID_SIGNATURE,
            "SEGUE_LASTFM_KEYS names another shared secret for the API key than the player has.",
        )
    return await method(Call(request, ctx, parameters, signed))


def _too_many(error: ApiError) -> Refused:
    """Tell who submits to send it again, since players throw away what is refused with 29."""
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        return Refused(Code.TRY_AGAIN, "this comes too fast, so send it again later.")
    return Refused(Code.RATE_LIMIT, "wait ten seconds.")
