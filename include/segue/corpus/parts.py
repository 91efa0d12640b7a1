"""A track that is a part of an audio file: one of an album whose CUE sheet lies beside the file.

Its path in the lake is that of the file, ``#`` and the number of the track: ``Album/Album.flac#3``. No file is
listed under such a name, because ``.flac#3`` is not the suffix of audio.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Final

from segue.audio.cue import FRAMES_PER_S
from segue.audio.hashing import DIGEST_BYTES
from segue.audio.results import WHOLE, Span

OF_WHOLE_FILE: Final = ("title", "track_number", "recording_mbid", "isrc", "acoustid")
"""Tags of a file that say nothing about a part of it."""


@dataclass(frozen=True)
class Part:
    """What the inventory stores about such a track.

    Attributes
    ----------
    file : str
        Path of the audio file, as in `segue.corpus.listing.AudioFile`.
    start, end : int or None
        As in `segue.audio.cue.CueTrack`.
    tags : dict of str to str
        Tags of the sheet, by the names of `segue.audio.results.TAG_NAMES`.
    """

    file: str
    start: int
    end: int | None
    tags: dict[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> Part:
        """Read what `to_text` has written."""
        return cls(**json.loads(text))

    @property
    def span(self) -> Span:
        """Start and end in seconds."""
        return self.start / FRAMES_PER_S, None if self.end is None else self.end / FRAMES_PER_S


def is_part(path: str) -> bool:
    """Return whether a path in the lake is that of a part of a file."""
    return re.search(r"#\d+$", path) is not None


def part_of(row: Mapping[str, Any]) -> Part | None:
    """Read the column `part` of a row of the inventory. Return None if the track is a whole file."""
    return Part.of_text(row["part"]) if row.get("part") else None


def source_of(row: Mapping[str, Any]) -> str:
    """Return the path of the audio file of a row of the inventory."""
    part = part_of(row)
    return part.file if part else str(row["path"])


def span_of(row: Mapping[str, Any]) -> Span:
    """Return the span of the file that a row of the inventory stands for."""
    part = part_of(row)
    return part.span if part else WHOLE


def hash_of(row: Mapping[str, Any], whole: str | None) -> str | None:
    """Return the hash of the content of a row of the inventory.

    Parameters
    ----------
    row : mapping
    whole : str or None
        Hash of the bytes or of the audio of the file. A part's hash is made from it and from the bounds of the
        part, so that it stays when the file or the sheet is renamed. A blank or unknown hash stays as it is.
    """
    part = part_of(row)
    if not (part and whole):
        return whole
    return blake2b(f"{whole} {part.start} {part.end}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def tags_of(row: Mapping[str, Any], texts: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the tags of a row of the inventory: those of its sheet, and for the others those of its file."""
    part = part_of(row)
    return {name: None if part and name in OF_WHOLE_FILE else text for name, text in texts.items()} | (
        dict(part.tags) if part else {}
    )
