"""Read the items of a JSON array one by one. If an item is damaged, the items before it are still read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, TextIO

_BETWEEN = re.compile(r"[\s,]*")
_LONGEST_INT = 300
_decoder = JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < _LONGEST_INT else float("inf"))
"""Reads very long integers as infinity. Python refuses to parse integers of more than 4,300 digits, and this error
would lose the rest of the array."""


def items(text: str, key: str | None = None) -> Iterator[Any]:
    """Yield the items of an array.

    Parameters
    ----------
    text
        JSON: an array, or an object.
    key
        If the text is an object: the name of the array in it.

    Yields
    ------
    Any
        The items. If an item cannot be read, a `JSONDecodeError` takes its place and is the last one.

    Raises
    ------
    LookupError
        If the text has no such array.
    """
    at = _start(text, key)
    while (at := _next(text, at)) < len(text) and text[at] != "]":
        try:
            item, at = _decoder.raw_decode(text, at)
        except JSONDecodeError as error:
            yield error
            return
        except RecursionError:
            yield JSONDecodeError("Nested too deeply", text, at)
            return
        yield item
    if at >= len(text):
        yield JSONDecodeError("The file ends within the array", text, len(text))


def _start(text: str, key: str | None) -> int:
    first = _next(text, 0)
    if text.startswith("[", first):
        return first + 1
    named = re.compile(rf'"{key}"\s*:\s*\[').search(text) if key and text.startswith("{", first) else None
    if named is None:
        raise LookupError
    return named.end()


def _next(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def is_array(stream: TextIO) -> bool:
    """Return whether a file begins with "[". The stream is at the beginning of the file afterwards."""
    while (character := stream.read(1)).isspace():
        pass
    stream.seek(0)
    return character == "["
