"""The rules that clean one track at a time. Each is a function DataFrame → DataFrame, named after what it does.

A rule that changes a value, or finds one missing or wrong, adds a code to the array column `changes`. The cleaning
report counts these codes. The first rule gets the columns of `schema.FEATURES` without the vector, and those of
the metadata with the prefix ``meta_``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.pandas.functions import arrow_udf
from pyspark.sql.types import StringType

from segue.audio.results import IDENTIFIERS, MAX_TAG_CHARACTERS
from segue.corpus.genres import NO_GENRES, genres, top
from segue.mojibake import repair

Rule = Callable[[DataFrame], DataFrame]

TEXTS = ("title", "artist", "album", "genre", "type", "language", "split")
TAGGED = ("title", "artist", "album", "genre")
TAG_ONLY = ("album_artist",)
"""Texts that are taken from the tags only."""

UUID = r"^(?!0{8}-0{4}-0{4}-0{4}-0{12})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
"""An MBID or AcoustID. The UUID of zeros identifies nothing."""

ISRC = r"^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$"
"""An ISRC without hyphens: country, registrant, year, number."""

MAX_NUMBER = 9_999
"""Largest number of a track or disc."""

PLACEHOLDERS = ("", "-", "?", "n/a", "none", "null", "unknown", "unknown artist", "<unknown>")
"""Texts that stand for an unknown value. They are compared in lower case."""

FIRST_YEAR = 1400
"""Years before the first recordings are allowed, since many tags name the year of the composition."""

MAX_DURATION_S = 24 * 3600

TOLERANCE_S = 2.0
TOLERANCE_SHARE = 0.05
"""Encoders add padding, so small differences are normal. If a stated duration differs by more than both
tolerances, it is wrong or belongs to another recording."""

_NUL = re.compile(r"\s*\x00+\s*")
"""Separator of the values of a tag that has several. Some readers leave it in the text."""

_ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LIST = re.compile(rf"\[ ?(?:(?:{_ITEM.pattern}) ?,? ?)*\]")
"""A list as Python, numpy and JSON write it: ``['rock', 'pop']``, ``['rock' 'pop']``, ``["rock"]``."""

_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff]+")


def note(rows: DataFrame, changes: Mapping[str, Column]) -> DataFrame:
    """Add to `changes` each code whose condition is true."""
    noted = sf.array_compact(sf.array(*(sf.when(where, sf.lit(code)) for code, where in changes.items())))
    return rows.withColumn("changes", sf.concat("changes", noted))


def normalise_text(rows: DataFrame) -> DataFrame:
    """Normalise text as `tidy` does; placeholders become null."""
    names = [f"meta_{name}" for name in TEXTS] + [f"tag_{name}" for name in (*TAGGED, *TAG_ONLY)]
    tidied = rows.withColumns({f"tidy_{name}": _tidy(sf.col(name)) for name in names})
    changes, values = {}, {}
    for name in names:
        tidy = sf.col(f"tidy_{name}")
        is_placeholder = sf.lower(tidy).isin(*(NO_GENRES if name.endswith("genre") else PLACEHOLDERS))
        code = name.removeprefix("meta_")
        changes[f"{code}_placeholder"] = (tidy != "") & is_placeholder
        changes[f"{code}_normalised"] = ~is_placeholder & (tidy != sf.col(name))
        values[name] = sf.when(~is_placeholder, tidy)
    return note(tidied, changes).withColumns(values).drop(*(f"tidy_{name}" for name in names))


def choose_source(rows: DataFrame) -> DataFrame:
    """Take each text from the metadata, or else from the tag. If neither has a title, use the file's name.

    Tags that could not be read are noted, since they explain why texts are absent.
    """
    chosen = rows.withColumns({name: sf.coalesce(f"meta_{name}", f"tag_{name}") for name in TAGGED})
    from_tag = {f"{name}_from_tag": sf.isnull(f"meta_{name}") & sf.isnotnull(name) for name in TAGGED}
    absent = {
        "tags_unreadable": sf.isnotnull("tag_error"),
        "title_from_file_name": sf.isnull("title"),
        "artist_missing": sf.isnull("artist"),
        "genre_missing": sf.isnull("genre"),
    }
    stem = sf.regexp_extract("path", r"([^/]*?)(\.[^./]*)?$", 1)
    final = {
        "title": sf.coalesce("title", stem),
        "type": sf.lower("meta_type"),
        "language": sf.lower("meta_language"),
        "split": sf.lower("meta_split"),
        **{name: sf.col(f"tag_{name}") for name in TAG_ONLY},
    }
    return note(chosen, from_tag | absent).withColumns(final)


def canonicalise_genre(rows: DataFrame, tops: Mapping[str, str] = MappingProxyType({})) -> DataFrame:
    """Replace each spelling of a genre by one name. List all in `genres`; `genre` is the first.

    If the genre is in `tops` (which maps a genre in lower case to its top genre), `genre` is its top genre.
    """
    known = dict(tops)  # a mapping proxy cannot be sent to the workers

    @arrow_udf("genres array<string>, top string")  # type: ignore[call-overload, untyped-decorator] # as `_tidy`
    def read(texts: pa.Array) -> pa.Array:
        stated = texts.to_pylist()
        listed = pa.array([genres(text) if text else [] for text in stated], pa.list_(pa.string()))
        tops_of = pa.array([top(text, known) if text else None for text in stated], pa.string())
        return pa.StructArray.from_arrays([listed, tops_of], ["genres", "top"])

    named = rows.withColumn("read", read("genre")).select("*", "read.genres", "read.top").drop("read")
    named = named.withColumn("canonical", sf.coalesce("top", sf.get("genres", sf.lit(0))))
    changes = {
        "genre_renamed": sf.col("canonical") != sf.col("genre"),
        "genre_placeholder": sf.isnull("canonical") & sf.isnotnull("genre"),
    }
    if tops:
        changes["genre_not_in_hierarchy"] = sf.isnull("top") & sf.isnotnull("canonical")
    return note(named, changes).withColumn("genre", sf.col("canonical")).drop("canonical", "top")


def convert_year(rows: DataFrame) -> DataFrame:
    """Take the year from the date of the metadata or the tag. Drop years before `FIRST_YEAR` or in the future.

    A date is ``1999``, ``19990501``, or ``1999`` with anything but a digit after it.
    """
    year = sf.lit(None).cast("int")
    stated = sf.lit(False)
    for name in ("tag_date", "meta_date"):
        text = sf.trim(name)
        number = sf.regexp_extract(text, r"^(\d{4})(?:(?!\d)|\d{4}(?!\d))", 1).try_cast("int")
        is_possible = number.between(FIRST_YEAR, sf.year(sf.current_date()))
        year = sf.when(is_possible, number).otherwise(year)
        stated = stated | ~sf.coalesce(sf.lower(text).isin(*PLACEHOLDERS), sf.lit(True))
    return note(rows.withColumn("year", year), {"year_not_usable": stated & sf.isnull("year")})


def convert_duration(rows: DataFrame) -> DataFrame:
    """Convert the stated duration to seconds: ``183``, ``183.5``, ``3:03`` or ``1:02:03``."""
    text = sf.trim("meta_duration")
    parts = sf.split(text, ":")
    of_clock = sf.aggregate(parts, sf.lit(0.0), lambda total, part: total * 60 + part.try_cast("double"))
    stated = sf.when(text.rlike(r"^-?\d+(\.\d+)?$|^\d+(:[0-5]?\d){1,2}$"), of_clock)
    is_blank = text.isNull() | sf.lower(text).isin(*PLACEHOLDERS)
    is_possible = (stated > 0) & (stated <= MAX_DURATION_S)
    faults = {"duration_not_a_number": ~is_blank & stated.isNull(), "duration_out_of_range": ~is_possible}
    return note(rows, faults).withColumn("stated_duration_s", sf.when(is_possible, stated))


def reconcile_duration(rows: DataFrame) -> DataFrame:
    """Keep the decoded duration, and add a code if the stated duration differs."""
    distance = sf.abs(sf.col("stated_duration_s") - sf.col("duration_s"))
    tolerance = sf.greatest(sf.lit(TOLERANCE_S), sf.col("duration_s") * TOLERANCE_SHARE)
    return note(rows, {"duration_disagrees": distance > tolerance})


def convert_identifiers(rows: DataFrame) -> DataFrame:
    """Read MBIDs, ISRC and AcoustID from the tags. Values that are no such ids are dropped and noted.

    If a tag has several ids, all artists are kept, and the first id of any other kind.
    """
    changes, values = {}, {}
    for name in IDENTIFIERS:
        stated, valid = _ids(name)
        changes[f"{name}_invalid"] = sf.size(valid) < sf.size(stated)
        first = sf.get(valid, sf.lit(0))
        values[name] = sf.when(sf.isnotnull(first), valid if name == "artist_mbids" else first)
    return note(rows, changes).withColumns(values)


def _ids(name: str) -> tuple[Column, Column]:
    """Return the values of a tag, and those of them that are valid ids in their canonical form, each once."""
    text, pattern = sf.lower(f"tag_{name}"), UUID
    if name == "isrc":
        text, pattern = sf.upper(sf.regexp_replace(f"tag_{name}", r"[-\s]", "")), ISRC
    stated = sf.array_distinct(sf.filter(sf.split(text, r"[\s;,/\x00]+"), lambda each: each != ""))
    return stated, sf.filter(stated, lambda each: each.rlike(pattern))


def convert_numbers(rows: DataFrame) -> DataFrame:
    """Read the numbers of track and disc: ``3``, ``03`` or ``3/12``. Others, such as ``A1``, become null."""
    numbers = {}
    for name in ("track_number", "disc_number"):
        number = sf.regexp_extract(f"tag_{name}", r"^\s*(\d{1,9})\s*(?:$|[/;])", 1).try_cast("int")
        numbers[name] = sf.when(number.between(1, MAX_NUMBER), number)
    return rows.withColumns(numbers)


def rules(tops: Mapping[str, str]) -> tuple[Rule, ...]:
    """List the rules in the order in which they run.

    Parameters
    ----------
    tops : mapping of str to str
        As in `segue.corpus.metadata.Metadata`.
    """
    to_top = partial(canonicalise_genre, tops=tops)
    of_tags = (convert_identifiers, convert_numbers)
    return (normalise_text, choose_source, to_top, convert_year, *of_tags, convert_duration, reconcile_duration)


@arrow_udf(StringType())  # type: ignore[call-overload, untyped-decorator] # PySpark types it for other signatures
def _tidy(texts: pa.Array) -> pa.Array:
    return pa.array([None if text is None else tidy(text) for text in texts.to_pylist()], pa.string())


def tidy(text: str) -> str:
    r"""Normalise one text.

    - Each run of white space and control characters becomes one blank, and letters are composed (NFC).
    - Several values, in a list or with NUL characters between them, are separated by ``"; "``.
    - A wrong decoding is undone where that is certain, see `segue.mojibake`.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        At most `MAX_TAG_CHARACTERS` long, without blanks at its ends.

    Examples
    --------
    >>> tidy(" The\u0301\n Reel ")
    'Thé Reel'
    >>> tidy("['rock', 'pop']"), tidy("[untitled]")
    ('rock; pop', '[untitled]')
    """
    separated = _NUL.sub("; ", repair(text[: 2 * MAX_TAG_CHARACTERS]).strip(" \x00"))
    plain = _SPACE.sub(" ", unicodedata.normalize("NFC", separated)).strip()[:MAX_TAG_CHARACTERS].rstrip()
    return "; ".join(_values(plain)).strip() if _LIST.fullmatch(plain) else plain


def _values(listed: str) -> list[str]:
    """Return the values of a text that matches `_LIST`."""
    try:
        values = json.loads(listed)
    except ValueError:
        return [re.sub(r"\\(.)", r"\1", item[1:-1]) for item in _ITEM.findall(listed)]
    return list(map(str, values))
