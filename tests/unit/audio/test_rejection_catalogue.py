"""The reason codes are stored for good, and each has its line in the catalogue."""

from __future__ import annotations

import re

from segue.audio.reasons import REMEDIES, Reason
from segue.settings import PROJECT_DIR


def test_every_reason_is_catalogued_once_and_nothing_else() -> None:
    catalogue = (PROJECT_DIR / "docs" / "rejections.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| .* \| (.*) \|$", catalogue, re.MULTILINE)
    assert [(code, remedy.replace("`", "")) for code, remedy in rows] == list(REMEDIES.items())
    assert list(REMEDIES) == list(Reason)


def test_stored_codes_do_not_change() -> None:
    assert {reason.name for reason in Reason} == {reason.value for reason in Reason}
    assert set(Reason) >= {"EMPTY", "UNREADABLE", "TRUNCATED", "TOO_SHORT", "SILENT", "NOT_FINITE", "TOO_LONG"}
    assert set(Reason) >= {"BAD_RATE", "DECODER_CRASHED", "TIMED_OUT"}
