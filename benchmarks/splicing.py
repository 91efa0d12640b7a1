"""Make new MP3 files from pieces of others by copying whole frames: no decoder, no encoder, some 300 µs a clip.

An MP3 frame may store a part of its bits in the frames before it (the *bit reservoir*). So a copy must begin with
the first frame of a piece, which needs no earlier bits, but may end after any frame. The clip gets the Xing header
of its first piece, with its own numbers of frames and bytes, its own seek table, and no padding at the end.
http://gabriel.mp3-tech.org/mp3infotag.html documents the fields.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

SAMPLES_PER_FRAME = 1152
"""Samples per frame of MPEG 1, layer III, the only format that this module reads."""

_KBIT_S = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES = (44_100, 48_000, 32_000)
_FIELDS = 0b1111  # frames, bytes, table for seeking, quality
_TABLE = 100  # entries of the seek table: where each percent of the time begins, in 256ths of the bytes
_CRC_POLYNOMIAL = 0xA001


@dataclass(frozen=True)
class Piece:
    """The frames of an MP3 file.

    Attributes
    ----------
    header : bytes
        The frame with the Xing header; it has no music.
    data : bytes
        The frames of music.
    ends : tuple of int
        Position in `data` at which each frame ends.
    rate : int
        In Hz.
    """

    header: bytes
    data: bytes
    ends: tuple[int, ...]
    rate: int


def read_piece(mp3: bytes) -> Piece:
    """Divide an MP3 file into frames.

    Parameters
    ----------
    mp3 : bytes
        MPEG 1, layer III, with a Xing header that has all four fields, with or without an ID3v2 tag before it.

    Raises
    ------
    ValueError
        If the file is of another kind, or its last frame is cut.
    """
    at = _after_id3(mp3)
    header = mp3[at : at + _frame_bytes(mp3, at)]
    xing = _xing(header)
    if xing < 0 or header[xing + 7] & _FIELDS != _FIELDS:
        raise ValueError("no Xing header with frames, bytes, table and quality")
    data, end, ends = mp3[at + len(header) :], 0, []
    while end < len(data):
        end += _frame_bytes(data, end)
        ends.append(end)
    if end > len(data):
        raise ValueError("its last frame is cut")
    return Piece(header, data, tuple(ends), _RATES[header[2] >> 2 & 3])


def splice(pieces: Sequence[Piece], frames: int, rng: random.Random) -> bytes:
    """Join the beginnings of some pieces. Their lengths are random, but at least half of an equal share.

    Parameters
    ----------
    pieces : sequence of Piece
        They have the same sample rate and number of channels, and each is at least as long as the clip.
    frames : int
        Length of the clip.
    rng : random.Random
        Chooses the lengths.

    Returns
    -------
    bytes
        A whole MP3 file without tags.
    """
    least = max(1, frames // (2 * len(pieces)))
    spare = frames - least * len(pieces)
    cuts = [0, *sorted(rng.randint(0, spare) for _ in pieces[1:]), spare]
    music, ends = b"", list[int]()
    for piece, since, until in zip(pieces, cuts, cuts[1:], strict=False):
        run = piece.ends[: least + until - since]
        ends += [len(music) + end for end in run]
        music += piece.data[: run[-1]]
    return _with_header(pieces[0].header, ends) + music


def _with_header(header: bytes, ends: Sequence[int]) -> bytes:
    """Return the Xing header for frames that end at these positions after it."""
    made, xing = bytearray(header), _xing(header)
    size = len(header) + ends[-1]
    made[xing + 8 : xing + 12] = len(ends).to_bytes(4, "big")
    made[xing + 12 : xing + 16] = size.to_bytes(4, "big")
    for percent in range(_TABLE):
        before = percent * len(ends) // _TABLE
        place = len(header) + (ends[before - 1] if before else 0)
        made[xing + 16 + percent] = place * 256 // size
    lame = xing + 16 + _TABLE + 4
    if lame + 36 <= len(made):
        made[lame + 22] &= 0xF0  # samples of padding at the end: the low 12 bits of three bytes
        made[lame + 23] = 0
        made[lame + 28 : lame + 32] = size.to_bytes(4, "big")
        made[lame + 32 : lame + 34] = b"\0\0"  # a checksum of the music, which no decoder checks
        made[lame + 34 : lame + 36] = _crc16(made[: lame + 34]).to_bytes(2, "big")
    return bytes(made)


def _after_id3(mp3: bytes) -> int:
    if mp3[:3] != b"ID3":
        return 0
    size = 0
    for byte in mp3[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame_bytes(data: bytes, at: int) -> int:
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xFE != 0xFA or head[2] >> 4 in {0, 15}:
        raise ValueError(f"no frame of MPEG 1, layer III, at byte {at}")
    return 144_000 * _KBIT_S[head[2] >> 4] // _RATES[head[2] >> 2 & 3] + (head[2] >> 1 & 1)


def _xing(header: bytes) -> int:
    """Return the position of the Xing header, or -1 if there is none."""
    return max(header.find(b"Xing", 0, 64), header.find(b"Info", 0, 64))


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_step(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_CRC_POLYNOMIAL if value & 1 else 0)
    return value


_CRC_TABLE = tuple(_crc_step(byte) for byte in range(256))
