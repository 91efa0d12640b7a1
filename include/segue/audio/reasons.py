"""The reason codes of rejections. docs/rejections.md lists the remedies."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Reason codes. They are stored with every rejected file, so never rename one."""

    NOT_FOUND = "NOT_FOUND"
    NOT_A_FILE = "NOT_A_FILE"
    NO_PERMISSION = "NO_PERMISSION"
    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    UNREADABLE = "UNREADABLE"
    TRUNCATED = "TRUNCATED"
    CHANGED = "CHANGED"
    BAD_RATE = "BAD_RATE"
    BAD_CHANNELS = "BAD_CHANNELS"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    NOT_FINITE = "NOT_FINITE"
    SILENT = "SILENT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMED_OUT = "TIMED_OUT"
    DECODER_CRASHED = "DECODER_CRASHED"
    KILLED = "KILLED"
    EXTRACTION_FAILED = "EXTRACTION_FAILED"


class RejectionError(Exception):
    """Raised inside the extraction if a file is unusable. `extract` converts it to a `Rejection`.

    Parameters
    ----------
    reason
        Reason code.
    message
        One sentence for the table of rejects. It does not name the path, because the row has it.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
