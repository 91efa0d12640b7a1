"""Pictures in the tags of each format are found, and nothing but a picture is returned."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from pathlib import Path

import mutagen
import pytest
from mutagen.apev2 import APEv2, APEValue
from mutagen.asf import ASFByteArrayAttribute
from mutagen.flac import Picture
from mutagen.id3 import APIC, ID3
from mutagen.mp4 import MP4Cover
from tests.support.audio_files import music, write_any

from segue.audio import artwork
from segue.audio.artwork import Artwork, read_artwork

JPEG, PNG = b"\xff\xd8\xff" + b"j" * 50, b"\x89PNG\r\n\x1a\n" + b"p" * 50
FRONT, BACK = 3, 4


def picture(data: bytes, kind: int = FRONT) -> Picture:
    made = Picture()
    made.data, made.type, made.mime = data, kind, "text/html"
    return made


def in_id3(path: Path, data: bytes) -> None:
    tags = ID3()
    tags.add(APIC(encoding=3, mime="image/png", type=BACK, desc="back", data=PNG))
    tags.add(APIC(encoding=3, mime="text/html", type=FRONT, desc="front", data=data))
    tags.save(path)


def in_flac(path: Path, data: bytes) -> None:
    file = mutagen.File(path)
    file.add_picture(picture(PNG, BACK))
    file.add_picture(picture(data))
    file.save()


def in_vorbis(path: Path, data: bytes) -> None:
    file = mutagen.File(path)
    both = (picture(PNG, BACK), picture(data))
    file["metadata_block_picture"] = [base64.b64encode(each.write()).decode() for each in both]
    file.save()


def in_mp4(path: Path, data: bytes) -> None:
    file = mutagen.File(path)
    file["covr"] = [MP4Cover(data), MP4Cover(PNG)]
    file.save()


def in_asf(path: Path, data: bytes) -> None:
    file = mutagen.File(path)
    head = struct.pack("<BI", FRONT, len(data)) + "image/jpeg\0front\0".encode("utf-16-le")
    file["WM/Picture"] = [ASFByteArrayAttribute(head + data)]
    file.save()


WRITERS: dict[str, Callable[[Path, bytes], None]] = {
    ".mp3": in_id3,
    ".flac": in_flac,
    ".ogg": in_vorbis,
    ".opus": in_vorbis,
    ".m4a": in_mp4,
    ".wma": in_asf,
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_front_cover_is_found_whatever_type_the_tag_states(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    write_any(path, music(0.5, 48_000))
    assert read_artwork(path) is None
    WRITERS[suffix](path, JPEG)
    assert read_artwork(path) == Artwork("image/jpeg", JPEG)


def test_other_pictures_do_if_there_is_no_usable_front_cover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    write_any(path, music(0.5))
    in_flac(path, b"<html>no picture")
    assert read_artwork(path) == Artwork("image/png", PNG)
    monkeypatch.setattr(artwork, "MAX_BYTES", len(PNG) - 1)
    assert read_artwork(path) is None


def test_pictures_of_apev2_are_after_their_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mpc"
    path.write_bytes(b"MPCK" + bytes(100))
    tags = APEv2()
    tags["Cover Art (Front)"] = APEValue(b"cover.jpg\0" + JPEG, 1)
    assert list(artwork._ape(tags, "Cover Art (Front)")) == [(FRONT, JPEG)]


@pytest.mark.parametrize(
    "data", [b"", b"no audio", b"fLaC" + b"\x86\xff\xff\xff" * 9, b"ID3\x04\0\0\x7f\x7f\x7f\x7f"]
)
def test_damaged_files_have_no_picture(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(data)
    assert read_artwork(path) is None
