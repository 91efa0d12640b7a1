"""The collections of MongoDB as files of BSON, one document after the other. `mongorestore` reads them too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from bson import decode_file_iter
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne
from pymongo.database import Database

from segue.connections import probes
from segue.errors import BackupError
from segue.listens import store
from segue.tracks import collection

PAGE: Final = 500
SUFFIX: Final = ".bson"
LAST: Final = (collection.COLLECTION, store.COLLECTION)
"""Large collections. They come last, because marks in the others say what these hold at least."""


def dump(database: Database[Any], folder: Path) -> dict[str, int]:
    """Write every collection into a file.

    Parameters
    ----------
    database : pymongo.database.Database
        It may be written to meanwhile.
    folder : Path
        An existing folder.

    Returns
    -------
    dict of str to int
        Number of documents of each collection.
    """
    names = sorted(
        set(database.list_collection_names()) - {probes.COLLECTION}, key=lambda name: (name in LAST, name)
    )
    # As raw bytes, so that no value changes its type on the way.
    raw = database.with_options(CodecOptions(document_class=RawBSONDocument))
    counts = {}
    for name in names:
        if name.startswith("system."):
            continue
        counts[name] = 0
        with (folder / f"{name}{SUFFIX}").open("wb") as file:
            for document in _read(raw, name):
                file.write(document.raw)
                counts[name] += 1
    return counts


def _read(database: Database[Any], name: str) -> Iterator[Any]:
    """Read a collection, a large one by several queries."""
    if name == store.COLLECTION:
        return store.in_parts(database)
    if name == collection.COLLECTION:
        return chain.from_iterable(collection.in_pages(database))
    return database[name].find({}, batch_size=PAGE)


def load(folder: Path, database: Database[Any]) -> dict[str, int]:
    """Write the documents of the files into a database. A document with the same id is replaced.

    Parameters
    ----------
    folder : Path
    database : pymongo.database.Database

    Returns
    -------
    dict of str to int
        Number of documents of each collection.

    Raises
    ------
    BackupError
        If a file is damaged.
    """
    counts = {}
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        counts[file.stem] = 0
        for page in _pages(file):
            writes: list[ReplaceOne[Any]] = [
                ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in page
            ]
            database[file.stem].bulk_write(writes, ordered=False, bypass_document_validation=True)
            counts[file.stem] += len(page)
    return counts


def _pages(file: Path) -> Iterator[list[RawBSONDocument]]:
    with file.open("rb") as stream:
        documents = decode_file_iter(stream, CodecOptions(document_class=RawBSONDocument))
        try:
            while page := list(islice(documents, PAGE)):
                yield page
        except (BSONError, KeyError) as error:
            raise BackupError(f"{file} is damaged: {error}. Use another backup.") from error
