"""The reason codes of rejections, and what to do about each. docs/rejections.md explains them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


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


REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.NOT_FOUND: "Restore it, or run the inventory again.",
    Reason.NOT_A_FILE: "Remove it from the corpus.",
    Reason.NO_PERMISSION: "chmod a+r FILE, and a+x on its folders.",
    Reason.EMPTY: "Fetch it again.",
    Reason.TOO_LARGE: "Check that it is music. If it is, raise SEGUE_AUDIO_MAX_SIZE_MB.",
    Reason.UNREADABLE: "Play it. If a player plays it, please report it; otherwise fetch it again.",
    Reason.TRUNCATED: "Fetch it again: its end is missing or its middle is damaged.",
    Reason.CHANGED: "Run the partition again when the copy is complete.",
    Reason.BAD_RATE: "The header is damaged, or it is not music. If it is music, resample it.",
    Reason.BAD_CHANNELS: "Mix it down, for instance with ffmpeg -i IN -ac 2 OUT.",
    Reason.TOO_SHORT: "Nothing: jingles and samples are left out.",
    Reason.TOO_LONG: "Split it into tracks, or raise SEGUE_AUDIO_MAX_DURATION_S.",
    Reason.NOT_FINITE: "Export it again: a plug-in or a conversion went wrong.",
    Reason.SILENT: "Nothing, if it is silent on purpose. Otherwise check the phase of its channels.",
    Reason.OUT_OF_MEMORY: "Most often the header is damaged. Fetch it again, or raise SEGUE_AUDIO_MEMORY_MB.",
    Reason.TIMED_OUT: "If many files time out, the file system hangs. If only one does, its decoder is in an "
    "endless loop: report it.",
    Reason.DECODER_CRASHED: "Convert it (ffmpeg -i IN OUT.flac) and report it.",
    Reason.KILLED: "Use fewer Spark cores. The next run tries the file again.",
    Reason.EXTRACTION_FAILED: "Please report it, with the file if you may.",
}
"""What to do about a file with this reason, in a sentence or two. docs/rejections.md has the same text."""


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
