"""Read the tags of an audio file.

mutagen reads most tags. Two kinds need more:

- mutagen does not look for APEv2 tags in an MP3. They are preferred to ID3v1 tags, which cut long texts.
- FFmpeg reads RIFF INFO, AIFF text chunks, and ID3 before ADTS or FLAC, if mutagen finds no title or artist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader, FileIO
from typing import Any, Final

import mutagen
from mutagen.apev2 import APENoHeaderError, APEv2
from mutagen.id3 import ID3
from mutagen.mp3 import MP3

from segue.audio.decoding.ffmpeg import container_tags
from segue.audio.results import MAX_TAG_CHARACTERS, TAG_NAMES

KEYS: Final = {
    "title": ("title", "TIT2", "\xa9nam", "Title"),
    "artist": ("artist", "TPE1", "\xa9ART", "Author", "author"),
    "album": ("album", "TALB", "\xa9alb", "WM/AlbumTitle"),
    "genre": ("genre", "TCON", "\xa9gen", "WM/Genre"),
    "date": ("date", "TDRC", "\xa9day", "WM/Year", "year"),
}
"""Names of each tag in Vorbis comments, APEv2 and FFmpeg; in ID3, MP4 and ASF; and in AIFF (author). Some programs
write the date as YEAR."""


@dataclass(frozen=True)
class Tags:
    """The tags of a file.

    Parameters
    ----------
    texts
        Text of each tag, by the names of `results.TAG_NAMES`. Different values of one tag are joined by ``"; "``.
        A blank or absent tag is None.
    error
        One sentence if the file has tags that cannot be read, else None.
    """

    texts: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(TAG_NAMES))
    error: str | None = None


def read_tags(file: FileIO, name: str) -> Tags:
    """Read title, artist, album, genre and date.

    The parsers are not safe from hostile files: they may recurse deeply, or unpack megabytes to gigabytes. So only
    the isolated child may call this for files that are not trusted.

    Parameters
    ----------
    file
        The open file, unbuffered. Its position changes.
    name
        Name of the file. The suffix helps to recognise the format.

    Returns
    -------
    Tags
    """
    buffered = BufferedReader(file)
    texts: dict[str, str | None] = dict.fromkeys(TAG_NAMES)
    errors = []
    try:
        for tags in _kinds(buffered, name):
            if isinstance(tags, Exception):
                errors.append(f"The tags cannot be read: {_first_line(tags)}.")
                continue
            for tag, keys in KEYS.items():
                texts[tag] = texts[tag] or next(filter(None, (_text(tags, key) for key in keys)), None)
            if texts["title"] and texts["artist"]:
                break
    finally:
        buffered.detach()  # otherwise the garbage collector would close the file
    return Tags(texts, errors[0] if errors and not any(texts.values()) else None)


def _kinds(file: BufferedReader[FileIO], name: str) -> Iterator[Mapping[str, Any] | Exception]:
    """Yield the tags of each kind that the file may have, best kind first. Yield a parser's error in its place."""
    found = None
    try:
        file.seek(0)
        found = mutagen.File(fileobj=file, filename=name)
    except Exception as error:  # noqa: BLE001 - damaged files make mutagen's parsers raise any error
        yield error
    tags = getattr(found, "tags", None) or {}
    is_mp3, is_id3v1 = isinstance(found, MP3), isinstance(tags, ID3) and tags.version < (2,)
    if not is_id3v1:
        yield tags
    try:
        yield _apev2(file) if is_mp3 else container_tags(file)
    except Exception as error:  # noqa: BLE001
        yield error
    if is_id3v1:
        yield tags


def _apev2(file: BufferedReader[FileIO]) -> Any:
    try:
        return APEv2(file)  # type: ignore[no-untyped-call] # mutagen ships no types for it
    except APENoHeaderError:
        return {}


def _text(tags: Mapping[str, Any], key: str) -> str | None:
    """Join the different values of a tag. An ID3 frame has them in `text`, a genre's frame also in `genres`."""
    try:
        values = tags.get(key)
    except (ValueError, KeyError):  # Vorbis comments and APEv2 refuse keys that are not ASCII
        return None
    values = getattr(values, "genres", None) or getattr(values, "text", values)
    parts = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]
    texts = dict.fromkeys(str(part).strip("\0 \n\r\t") for part in parts if part is not None)
    text = "; ".join(filter(None, texts))[:MAX_TAG_CHARACTERS]
    return text.encode("utf-8", "replace").decode().strip() or None


def _first_line(error: Exception) -> str:
    lines = str(error).rstrip(".").splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
