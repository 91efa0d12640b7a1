"""Check files against the checksums that Hadoop writes beside each local file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

_HEADER = b"crc\0"


def match(file: Path) -> bool:
    """Return whether a file has the checksums that Hadoop has noted, or Hadoop has noted none.

    Hadoop notes the CRC-32 of each block of a file ``NAME`` in the file ``.NAME.crc``.
    """
    beside = file.with_name(f".{file.name}.crc")
    noted = beside.read_bytes() if beside.exists() else b""
    if not noted.startswith(_HEADER):
        return True
    [size] = struct.unpack_from(">i", noted, len(_HEADER))
    sums = bytearray()
    with file.open("rb") as content:
        while block := content.read(size):
            sums += struct.pack(">I", zlib.crc32(block))
    return noted[len(_HEADER) + 4 :] == bytes(sums)
