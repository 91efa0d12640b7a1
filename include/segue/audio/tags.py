"""Read the tags of an audio file.

mutagen reads most tags. Three kinds need more:

- An MP3 may have APEv2 tags, for which mutagen does not look. They go before ID3v1 tags, which cut long texts.
- FLAC and ADTS may have ID3v2 tags in front, for which mutagen does not look. Because of them, it even takes ADTS
  for a damaged MP3.
- RIFF INFO and AIFF text chunks are read by FFmpeg, if the other kinds have no title or no artist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedReader, FileIO
from typing import Any, Final

import mutagen
from mutagen.apev2 import APENoHeaderError, APEv2
from mutagen.id3 import ID3, ID3NoHeaderError
from mutagen.mp3 import MP3
from mutagen.wave import WAVE

from segue.audio.decoding.ffmpeg import container_tags
from segue.audio.results import MAX_TAG_CHARACTERS, TAG_NAMES, Tags

KEYS: Final = {
    "title": ("title", "TIT2", "\xa9nam", "Title"),
    "artist": ("artist", "TPE1", "\xa9ART", "Author", "author"),
    "album": ("album", "TALB", "\xa9alb", "WM/AlbumTitle"),
    "genre": ("genre", "TCON", "\xa9gen", "WM/Genre"),
    "date": ("date", "TDRC", "\xa9day", "WM/Year", "year"),
}
"""Names of each tag in Vorbis comments, APEv2 and FFmpeg; in ID3, MP4 and ASF; and in AIFF (author). Some programs
write the date as YEAR."""

PLAIN_KEYS: Final = {
    "album_artist": ("tpe2", "albumartist", "aart"),
    "track_number": ("trck", "tracknumber", "track", "trkn"),
    "disc_number": ("tpos", "discnumber", "disc", "disk", "partofset"),
    "recording_mbid": ("httpmusicbrainzorg", "musicbrainztrackid"),
    "release_mbid": ("musicbrainzalbumid",),
    "artist_mbids": ("musicbrainzartistid",),
    "isrc": ("tsrc", "isrc"),
    "acoustid": ("acoustidid",),
}
"""Names of further tags, as `_plain` writes them. All formats have the names of MusicBrainz Picard's tag mapping:
``MUSICBRAINZ_TRACKID``, ``MusicBrainz/Track Id`` and ``----:com.apple.iTunes:MusicBrainz Track Id`` are all the id
of a recording. ID3 has it in the frame ``UFID:http://musicbrainz.org``; some programs write a TXXX frame."""

_PREFIX = re.compile(r"^(?:TXXX:|UFID:|----:[^:]*:|WM/)")
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


def read_tags(file: FileIO, name: str) -> Tags:
    """Read the tags of `results.TAG_NAMES`.

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
        for tags in _kinds(buffered, name, texts):
            if isinstance(tags, Exception):
                errors.append(f"The tags cannot be read: {_first_line(tags)}.")
                continue
            plain = {_plain(key): key for key in tags.keys()}  # noqa: SIM118 - ASF tags are a list, too
            named = {tag: [plain[key] for key in keys if key in plain] for tag, keys in PLAIN_KEYS.items()}
            for tag, keys in (KEYS | named).items():
                texts[tag] = texts[tag] or next(filter(None, (_text(tags, key) for key in keys)), None)
    finally:
        buffered.detach()  # otherwise the garbage collector would close the file
    return Tags(texts, errors[0] if errors and not any(texts.values()) else None)


def _kinds(
    file: BufferedReader[FileIO], name: str, texts: Mapping[str, str | None]
) -> Iterator[Mapping[str, Any] | Exception]:
    """Yield the tags of each kind that the file may have, best kind first. Yield a parser's error in its place.

    The caller fills `texts` with the tags. FFmpeg is asked only if title or artist are still absent.
    """
    found = None
    try:
        file.seek(0)
        found = mutagen.File(fileobj=file, filename=name)
    except Exception as error:  # noqa: BLE001 - damaged files make mutagen's parsers raise any error
        yield error
    tags = getattr(found, "tags", None) or {}
    is_id3v1 = isinstance(tags, ID3) and tags.version < (2,)
    if not is_id3v1:
        yield tags
    is_mp3 = isinstance(found, MP3)
    yield _read(_apev2 if is_mp3 else _id3_in_front, file)
    if not is_mp3 and not (texts["title"] and texts["artist"]):
        yield _read(_riff_info if isinstance(found, WAVE) else container_tags, file)
    if is_id3v1:
        yield tags


def _read(
    reader: Callable[[Any], Mapping[str, Any]], file: BufferedReader[FileIO]
) -> Mapping[str, Any] | Exception:
    try:
        return reader(file)
    except Exception as error:  # noqa: BLE001 - as above
        return error


def _apev2(file: BufferedReader[FileIO]) -> Any:
    try:
        return APEv2(file)  # type: ignore[no-untyped-call] # mutagen ships no types for it
    except APENoHeaderError:
        return {}


def _id3_in_front(file: BufferedReader[FileIO]) -> Any:
    file.seek(0)
    try:
        return ID3(file, load_v1=False)  # type: ignore[no-untyped-call] # as APEv2
    except ID3NoHeaderError:
        return {}


def _riff_info(file: BufferedReader[FileIO]) -> dict[str, str]:
    """Read the tags without ISRC, which names the source of the recording there."""
    return {key: text for key, text in container_tags(file).items() if key != "isrc"}


def _plain(key: str) -> str:
    """Return the name of a tag without its prefix, in lower case, and without all but letters and digits."""
    return _NOT_PLAIN.sub("", _PREFIX.sub("", key).lower())


def _text(tags: Mapping[str, Any], key: str) -> str | None:
    """Join the different values of a tag.

    An ID3 frame has them in `text`, a genre's frame also in `genres`, and UFID in `data`. In MP4, a number is a
    pair of number and total, and freeform values are bytes.
    """
    try:
        values: Any = tags.get(key)
    except (ValueError, KeyError):  # Vorbis comments and APEv2 refuse keys that are not ASCII
        return None
    values = getattr(values, "genres", None) or getattr(values, "text", None) or getattr(values, "data", values)
    is_one = isinstance(values, str | bytes) or not isinstance(values, Iterable)
    texts = dict.fromkeys(map(_stripped, [values] if is_one else values))
    text = "; ".join(filter(None, texts))[:MAX_TAG_CHARACTERS]
    return text.encode("utf-8", "replace").decode().strip() or None


def _stripped(value: object) -> str:
    if isinstance(value, tuple):
        value = next(iter(value), None)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "" if value is None else str(value).strip("\0 \n\r\t")


def _first_line(error: Exception) -> str:
    lines = str(error).rstrip(".").splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
