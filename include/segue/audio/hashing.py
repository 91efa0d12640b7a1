"""The hash that identifies files with the same bytes."""

from __future__ import annotations

import hashlib
from io import FileIO

DIGEST_BYTES = 16


def content_hash(file: FileIO) -> str:
    """Compute the hash of a file, as ``b2sum -l 128`` does.

    Parameters
    ----------
    file
        Unbuffered file at its beginning. Afterwards it is at its end.

    Returns
    -------
    str
        BLAKE2b, 32 hexadecimal digits.
    """
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()
