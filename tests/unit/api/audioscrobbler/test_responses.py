from __future__ import annotations

import json

from segue.api.audioscrobbler.responses import Code, LastfmError, failed, ok

DECLARED = "<?xml version='1.0' encoding='utf-8'?>\n"


def test_json_and_xml_say_the_same() -> None:
    document = {
        "scrobbles": {
            "@attr": {"accepted": 2, "ignored": 0},
            "scrobble": [
                {"track": {"corrected": "0", "#text": "Jóga & <b>"}, "timestamp": "1"},
                {"timestamp": "2"},
            ],
        }
    }
    assert json.loads(ok(document, json=True).body) == document
    assert bytes(ok(document, json=False).body).decode() == (
        DECLARED + '<lfm status="ok"><scrobbles accepted="2" ignored="0">'
        '<scrobble><track corrected="0">Jóga &amp; &lt;b&gt;</track><timestamp>1</timestamp></scrobble>'
        "<scrobble><timestamp>2</timestamp></scrobble></scrobbles></lfm>"
    )


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    answer = ok({"token": "a\x00b\x1bc\ud800d\uffff"}, json=False)
    assert bytes(answer.body).decode() == DECLARED + '<lfm status="ok"><token>abcd</token></lfm>'


def test_errors_have_code_sentence_and_status() -> None:
    refused = LastfmError(Code.INVALID_SESSION, "sign in again.")
    answer = failed(refused, json=True)
    assert (answer.status_code, json.loads(answer.body)) == (
        403,
        {"error": 9, "message": "Invalid session key: sign in again."},
    )
    answer = failed(refused, json=False)
    assert bytes(answer.body).decode() == (
        DECLARED + '<lfm status="failed"><error code="9">Invalid session key: sign in again.</error></lfm>'
    )
    assert failed(LastfmError(Code.TRY_AGAIN, "later."), json=False).status_code == 503
