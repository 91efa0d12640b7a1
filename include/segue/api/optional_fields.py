"""Validate the optional fields of a listen. Unusable fields are dropped and stored as text; the listen is kept.

Players send durations of 0, several ids in one string, invalid ids, tags of any length, and their own keys of any
type. None of these is a reason to lose a listen.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from pydantic_core import to_json

from segue.listens import limits

T = TypeVar("T")

MAX_DEPTH: Final = 16
MAX_RAW: Final = 10_240
"""Number of characters of a dropped field that are stored."""

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[\s,;/|+&\\]*")
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})


class UnusableError(ValueError):
    """The value of an optional field cannot be used."""


def clean(info: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Separate the usable fields of ``additional_info`` from the others.

    Parameters
    ----------
    info
        As the player sent it.

    Returns
    -------
    tuple of (dict, dict)
        First the usable fields: durations are integers, ids have their canonical form, and empty ids, tags and
        durations are left out. Second the dropped fields by name, as JSON text.
    """
    usable: dict[str, Any] = {}
    dropped: dict[str, str] = {}
    for key, value in info.items():
        read = _READERS.get(key)
        if read is not None and value in _NOTHING:
            continue
        try:
            usable[_storable(key)] = _storable(value) if read is None else read(_storable(value))
        except UnusableError:
            dropped[key.replace("\x00", "")] = raw(value)
    if "duration" in usable and "duration_ms" in usable:
        dropped["duration"] = raw(usable.pop("duration"))  # duration_ms is more precise
    tags = info.get("tags")
    if "tags" in usable and isinstance(tags, list) and len(usable["tags"]) < len(tags):
        dropped["tags"] = raw(tags)
    return usable, dropped


def raw(value: Any) -> str:
    """Return a value as JSON text, cut to `MAX_RAW` characters."""
    return to_json(value, inf_nan_mode="constants").decode()[:MAX_RAW]


def _storable(value: T, depth: int = 0) -> T:
    """Return a JSON value if every store can hold it: not too deep, no null bytes, no infinite numbers.

    Raises
    ------
    UnusableError
        If a store cannot hold it.
    """
    if isinstance(value, str) and "\x00" in value:
        raise UnusableError
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 is valid JSON, infinity is not
        raise UnusableError
    if isinstance(value, dict | list):
        if depth >= MAX_DEPTH:
            raise UnusableError
        for each in (*value, *value.values()) if isinstance(value, dict) else value:
            _storable(each, depth + 1)
    return value


def canonical_uuid(value: Any) -> str | None:
    """Return a UUID in its canonical form, lower case with four hyphens, or None if the value is no UUID."""
    if not isinstance(value, str):
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return None


def _uuids(value: Any) -> list[str]:
    """Read UUIDs. Some players nest them in lists, or join them in one string."""
    if isinstance(value, list):
        return [each for item in value if item not in _NOTHING for each in _uuids(item)]
    if (one := canonical_uuid(value)) is not None:
        return [one]
    if not isinstance(value, str) or not _SEPARATORS.fullmatch(_UUID.sub("", value)):
        raise UnusableError
    return [found.lower() for found in _UUID.findall(value)]


def _one_uuid(value: Any) -> str:
    found = _uuids(value)
    if len(found) != 1:
        raise UnusableError
    return found[0]


def _duration(longest: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        try:
            duration = 0 if isinstance(value, bool) else int(float(value))
        except (ValueError, TypeError, OverflowError):
            duration = 0
        if not 0 < duration <= longest:
            raise UnusableError
        return duration

    return read


def _tags(value: Any) -> list[str]:
    """Return the usable tags; `clean` detects if some are missing."""
    sent = value if isinstance(value, list) else [value]
    tags = [tag for tag in sent if isinstance(tag, str) and 0 < len(tag) <= limits.MAX_TAG_LENGTH]
    if not tags:
        raise UnusableError
    return tags[: limits.MAX_TAGS_PER_LISTEN]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnusableError
    return value


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "duration": _duration(limits.MAX_DURATION_S),
    "duration_ms": _duration(limits.MAX_DURATION_S * 1000),
    "duration_played": _duration(limits.MAX_DURATION_S),
    "tags": _tags,
    **dict.fromkeys(("artist_mbids", "work_mbids"), _uuids),
    **dict.fromkeys(("recording_mbid", "release_mbid", "release_group_mbid", "track_mbid"), _one_uuid),
    **dict.fromkeys(
        (
            "listening_from",
            "media_player",
            "media_player_version",
            "music_service",
            "music_service_name",
            "origin_url",
            "segue_track_id",
            "submission_client",
            "submission_client_version",
        ),
        _text,
    ),
}

KNOWN: Final = frozenset(_READERS)
"""Field names that metrics may show. Players can send any number of other keys."""
