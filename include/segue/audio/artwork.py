"""Read the picture in the tags of an audio file, as its bytes are.

Only images of four formats are returned. They are recognised by their first bytes, because the type that a tag
states may be wrong.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mutagen
from mutagen.apev2 import APEv2
from mutagen.flac import Picture

MAX_BYTES: Final = 8 * 2**20
"""Larger pictures are left out. A cover of 3,000 by 3,000 pixels has 1 to 4 MB as a JPEG."""

FRONT: Final = 3
"""Number of the front cover among the types of pictures, in ID3, FLAC and ASF."""

FIRST_BYTES: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@dataclass(frozen=True)
class Artwork:
    """A picture, and its media type."""

    media_type: str
    data: bytes


def read_artwork(path: Path) -> Artwork | None:
    """Read the front cover of a file, or else its first picture.

    mutagen's parsers are not safe from hostile files. So only files may be read that the isolated child has read
    before (`segue.audio.tags`).

    Parameters
    ----------
    path
        The audio file.

    Returns
    -------
    Artwork or None
        None if the tags cannot be read, or have no picture of a known format and of at most `MAX_BYTES`.
    """
    try:
        found = mutagen.File(path)
        pictures = [] if found is None else list(_pictures(found))
    except Exception:  # noqa: BLE001 - damaged files make mutagen's parsers raise any error
        return None
    pictures.sort(key=lambda picture: picture[0] != FRONT)  # stable: the first of the others
    return next((made for _, data in pictures if (made := _artwork(data))), None)


def _pictures(found: Any) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the bytes of each picture."""
    for picture in getattr(found, "pictures", ()):  # FLAC
        yield picture.type, picture.data
    tags: Any = found.tags or {}
    for key, read in _READERS.items():
        yield from read(tags, key)


def _id3(tags: Any, key: str) -> Iterator[tuple[int, bytes]]:
    if hasattr(tags, "getall"):
        for frame in tags.getall(key):
            yield frame.type, frame.data


def _mp4(tags: Mapping[str, Any], key: str) -> Iterator[tuple[int, bytes]]:
    for cover in _values(tags, key):
        yield FRONT, bytes(cover)


def _vorbis(tags: Mapping[str, Any], key: str) -> Iterator[tuple[int, bytes]]:
    for text in _values(tags, key):
        picture = Picture(base64.b64decode(text))  # type: ignore[no-untyped-call] # mutagen ships no types for it
        yield picture.type, picture.data


def _asf(tags: Mapping[str, Any], key: str) -> Iterator[tuple[int, bytes]]:
    """Read ``WM/Picture``: type (1 byte), size (4 bytes), media type and description (UTF-16), data."""
    for value in _values(tags, key):
        raw = bytes(value.value)
        size = int.from_bytes(raw[1:5], "little")
        yield raw[0], raw[-size:] if size else b""


def _ape(tags: Any, key: str) -> Iterator[tuple[int, bytes]]:
    if isinstance(tags, APEv2) and key in tags:
        _, _, data = bytes(tags[key].value).partition(b"\0")  # after the name of the file
        yield FRONT, data


def _values(tags: Any, key: str) -> list[Any]:
    try:
        found = tags.get(key)
    except (ValueError, KeyError):  # Vorbis comments and APEv2 refuse some keys
        return []
    return found if isinstance(found, list) else []


_READERS: Final[dict[str, Callable[[Any, str], Iterator[tuple[int, bytes]]]]] = {
    "APIC": _id3,
    "covr": _mp4,
    "metadata_block_picture": _vorbis,
    "WM/Picture": _asf,
    "Cover Art (Front)": _ape,
}


def _artwork(data: bytes) -> Artwork | None:
    media_type = next((kind for first, kind in FIRST_BYTES.items() if data.startswith(first)), None)
    if media_type == "image/webp" and data[8:12] != b"WEBP":
        media_type = None
    return Artwork(media_type, data) if media_type and len(data) <= MAX_BYTES else None
