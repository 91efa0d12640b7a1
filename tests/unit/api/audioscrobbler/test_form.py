from __future__ import annotations

import asyncio
import hashlib

import pytest
from fastapi import Request

from segue.api.audioscrobbler.form import MAX_FIELDS, MAX_FORM_BYTES, Form, read_form
from segue.api.audioscrobbler.responses import Code, LastfmError


def read(
    body: bytes, *, query: bytes = b"", content_type: str | None = "application/x-www-form-urlencoded"
) -> Form:
    headers = [(b"content-type", content_type.encode())] if content_type is not None else []
    scope = {"type": "http", "method": "POST", "query_string": query, "headers": headers}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(read_form(Request(scope, receive)))


def test_signature_is_of_the_sorted_bytes_of_query_and_body() -> None:
    form = read(b"artist[10]=B&artist[1]=Bj%C3%B6rk&format=json&callback=x&method=m", query=b"username=anna")
    signed = "artist[10]Bartist[1]Björkmethodmusernameannasecret"
    assert form.signature("secret") == hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
    assert not form.is_signed_with("secret")


@pytest.mark.parametrize("change", [str.upper, str])
def test_signature_is_checked_in_either_case(change: type[str]) -> None:
    signature = Form({b"a": b"1"}).signature("s")
    assert Form({b"a": b"1", b"api_sig": change(signature).encode()}).is_signed_with("s")
    assert not Form({b"a": b"2", b"api_sig": change(signature).encode()}).is_signed_with("s")
    assert not Form({b"a": b"1", b"api_sig": change(signature).encode()}).is_signed_with("t")


def test_latin_1_of_old_players_is_read_and_signed_as_sent() -> None:
    form = read(b"artist=Bj%F6rk&track=J%C3%B3ga")
    assert form.text == {"artist": "Björk", "track": "Jóga"}
    raw = b"artistBj\xf6rktrackJ\xc3\xb3gasecret"
    assert form.signature("secret") == hashlib.md5(raw, usedforsecurity=False).hexdigest()


def test_the_last_of_two_values_counts() -> None:
    assert read(b"r[0]=&r[0]=L").text == {"r[0]": "L"}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "said"),
    [
        (b"a=1&" * (MAX_FIELDS + 1), "application/x-www-form-urlencoded", 400, "too many"),
        (b"a=" + b"x" * MAX_FORM_BYTES, "application/x-www-form-urlencoded", 413, "too large"),
        (b"a=" + b"x" * 11_000_000, "application/x-www-form-urlencoded", 413, "too large"),
        (b'{"method": "track.scrobble"}', "application/json", 415, "application/json"),
        (b'<!DOCTYPE x [<!ENTITY a "&b;">]><x>&a;</x>', "text/xml; charset=utf-8", 415, "text/xml"),
    ],
)
def test_what_is_no_form_is_refused_with_one_sentence(
    body: bytes, content_type: str, status: int, said: str
) -> None:
    with pytest.raises(LastfmError) as refusal:
        read(body, content_type=content_type)
    assert (refusal.value.code, refusal.value.status) == (Code.INVALID_PARAMETERS, status)
    assert said in refusal.value.message


@pytest.mark.parametrize("content_type", [None, ""])
def test_a_body_without_a_content_type_is_read_as_a_form(content_type: str | None) -> None:
    assert read(b"a=1", content_type=content_type).text == {"a": "1"}
