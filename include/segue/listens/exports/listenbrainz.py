"""Read an export of ListenBrainz: JSON lines, or the JSON array of its older exports."""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from segue.listens.exports import files, json_items
from segue.listens.exports.lines import NOT_UTF_8, Line, in_seconds, line_of, play_of
from segue.listens.plays import Play


def listenbrainz(path: Path) -> Iterator[Line]:
    """Read an export.

    Parameters
    ----------
    path
        A ``.jsonl`` file, a ``.json`` file with an array, or a zip file with a ``.jsonl`` file for each month.

    Yields
    ------
    Line
        In the order of the export.
    """
    number = 0
    with files.texts(path, _is_of_listens, "listens/….jsonl") as streams:
        for stream in streams:
            listens = json_items.items(stream.read()) if json_items.is_array(stream) else stream
            for listen in listens:
                if not isinstance(listen, str) or listen.strip():
                    number += 1
                    yield line_of(number, _play, listen)


def _is_of_listens(name: str) -> bool:
    return "listens" in name and name.endswith((".json", ".jsonl"))


def _play(listen: Any) -> Play:
    if isinstance(listen, JSONDecodeError):
        raise listen
    if isinstance(listen, str):
        if not NOT_UTF_8.isdisjoint(listen):
            raise ValueError("a line that is not UTF-8")
        listen = from_json(listen, allow_inf_nan=False)
    metadata = listen["track_metadata"]
    info = {key: value for key, value in (metadata.get("additional_info") or {}).items() if value is not None}
    mapped = (metadata.get("mbid_mapping") or {}).get("recording_mbid")
    if mapped:  # found by ListenBrainz; an id from the player takes precedence
        info.setdefault("recording_mbid", mapped)
    at = in_seconds(int(listen["listened_at"]))
    return play_of(at, metadata["artist_name"], metadata["track_name"], metadata.get("release_name"), info)
