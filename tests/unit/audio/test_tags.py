"""Tags of every kind are read, and no tag costs more than itself. docs/corpus.md lists the kinds."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
from mutagen.apev2 import APEv2
from mutagen.asf import ASFDWordAttribute
from mutagen.id3 import ID3, TCON, TIT2, TPE1, TPE2, TPOS, TRCK, TSRC, TXXX, UFID
from tests.support.audio_files import music, write_any, write_ffmpeg

from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits
from segue.audio.results import MAX_TAG_CHARACTERS, TAG_NAMES, Rejection, Tags, Track
from segue.audio.tags import read_tags

FILES = Path(__file__).parent / "files"
"""Small files as other programs write them."""

NOTHING = dict.fromkeys(TAG_NAMES)


def tags_of(path: Path) -> Tags:
    with open(path, "rb", 0) as file:  # noqa: PTH123 - unbuffered
        tags = read_tags(file, str(path))
        assert not file.closed
    return tags


def texts_of(path: Path) -> dict[str, str | None]:
    tags = tags_of(path)
    assert tags.error is None
    return tags.texts


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untagged clip of each format."""
    folder = tmp_path_factory.mktemp("clips")
    for suffix in ("mp3", "flac", "ogg", "opus", "wav", "aiff", "m4a", "wma", "aac"):
        write_any(folder / f"clip.{suffix}", music(1.5, channels=1))
    return folder


@pytest.fixture
def copy(clips: Path, tmp_path: Path):
    def of(suffix: str) -> Path:
        path = tmp_path / f"a.{suffix}"
        path.write_bytes((clips / f"clip.{suffix}").read_bytes())
        return path

    return of


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "opus", "m4a"])
def test_reads_the_tags_that_mutagen_writes(copy, suffix: str) -> None:
    path = copy(suffix)
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    file.update(title=["Réel"], artist=["A", "B"], genre=["Reel"], date=["1883"])
    file.save()
    expected = {"title": "Réel", "artist": "A; B", "genre": "Reel", "date": "1883"}
    assert texts_of(path) == NOTHING | expected


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_reads_id3_frames_of_uncompressed_files(copy, suffix: str) -> None:
    path = copy(suffix)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.setall("T", [TIT2(text=["Jig"]), TPE1(text=["A"]), TCON(text=["(17)"])])
    file.save()
    assert texts_of(path) == NOTHING | {"title": "Jig", "artist": "A", "genre": "Rock"}


RECORDING, RELEASE = "b1a9c0e9-d987-4042-ae91-78d6a3267d69", "2f3a57a4-54a4-4f4c-8a3a-0d3d4c2f6a11"
ONE, TWO = "87c5dedd-371d-4a53-9f7f-80522fb7f3cb", "f27ec8db-af05-4f36-916e-3d57f91ecf5e"
ACOUSTID, ISRC = "9ff43b6a-4f16-427c-93c2-92307ca505e0", "GBAYE9300106"

IDENTIFIED = {
    "album_artist": "Various",
    "track_number": "3",
    "disc_number": "2",
    "recording_mbid": RECORDING,
    "release_mbid": RELEASE,
    "artist_mbids": f"{ONE}; {TWO}",
    "isrc": ISRC,
    "acoustid": ACOUSTID,
}


def id3_of_picard() -> ID3:
    tags = ID3()
    tags.add(UFID(owner="http://musicbrainz.org", data=RECORDING.encode()))
    tags.add(UFID(owner="http://www.example.org", data=b"another"))
    for name, values in {
        "MusicBrainz Album Id": [RELEASE],
        "MusicBrainz Artist Id": [ONE, TWO],
        "MusicBrainz Album Artist Id": [TWO],
        "MusicBrainz Release Track Id": [RELEASE],
        "Acoustid Id": [ACOUSTID],
    }.items():
        tags.add(TXXX(desc=name, text=values))
    for frame, text in ((TPE2, "Various"), (TRCK, "3"), (TPOS, "2"), (TSRC, ISRC)):
        tags.add(frame(text=[text]))
    return tags


@pytest.mark.parametrize("suffix", ["mp3", "wav", "aiff", "flac", "aac"])
def test_reads_identifiers_of_id3(copy, suffix: str) -> None:
    """In FLAC and ADTS, ID3 is in front of the file."""
    path = copy(suffix)
    if suffix in ("flac", "aac"):
        id3_of_picard().save(path)
    else:
        file = mutagen.File(path)
        file.add_tags()
        file.tags.update(id3_of_picard())
        file.save()
    assert texts_of(path) == NOTHING | IDENTIFIED


VORBIS = {
    "albumartist": ["Various"],
    "tracknumber": ["3"],
    "discnumber": ["2"],
    "MUSICBRAINZ_TRACKID": [RECORDING],
    "MUSICBRAINZ_RELEASETRACKID": [RELEASE],
    "MUSICBRAINZ_ALBUMID": [RELEASE],
    "MUSICBRAINZ_ARTISTID": [ONE, TWO],
    "MUSICBRAINZ_ALBUMARTISTID": [TWO],
    "ISRC": [ISRC],
    "ACOUSTID_ID": [ACOUSTID],
}


@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus"])
def test_reads_identifiers_of_vorbis_comments(copy, suffix: str) -> None:
    path = copy(suffix)
    file = mutagen.File(path)
    file.update(VORBIS)
    file.save()
    assert texts_of(path) == NOTHING | IDENTIFIED


def test_reads_identifiers_of_apev2_behind_an_mp3_with_id3(copy) -> None:
    path = copy("mp3")
    id3 = ID3()
    id3.add(TIT2(text=["T"]))
    id3.add(TPE1(text=["A"]))
    id3.save(path)
    named = {"Album Artist": ["Various"], "Track": ["3"], "Disc": ["2"]}
    ape = APEv2()
    ape.update(named | {name: values for name, values in VORBIS.items() if name.isupper()})
    ape.save(path)
    assert texts_of(path) == NOTHING | IDENTIFIED | {"title": "T", "artist": "A"}


def test_reads_identifiers_of_mp4(copy) -> None:
    path = copy("m4a")
    file = mutagen.File(path)
    own = {
        "MusicBrainz Track Id": [RECORDING],
        "MusicBrainz Release Track Id": [RELEASE],
        "MusicBrainz Album Id": [RELEASE],
        "MusicBrainz Artist Id": [ONE, TWO],
        "ISRC": [ISRC],
        "Acoustid Id": [ACOUSTID],
    }
    file["aART"], file["trkn"], file["disk"] = ["Various"], [(3, 12)], [(2, 2)]
    for name, values in own.items():
        file[f"----:com.apple.iTunes:{name}"] = [value.encode() for value in values]
    file.save()
    assert texts_of(path) == NOTHING | IDENTIFIED


def test_reads_identifiers_of_asf(copy) -> None:
    path = copy("wma")
    file = mutagen.File(path)
    file["WM/AlbumArtist"], file["WM/PartOfSet"], file["WM/ISRC"] = "Various", "2", ISRC
    file["WM/TrackNumber"] = ASFDWordAttribute(3)
    file["MusicBrainz/Track Id"], file["MusicBrainz/Album Id"] = RECORDING, RELEASE
    file["MusicBrainz/Artist Id"], file["Acoustid/Id"] = [ONE, TWO], ACOUSTID
    file.save()
    assert texts_of(path) == NOTHING | IDENTIFIED


def test_reads_identifiers_under_the_names_of_other_programs(copy) -> None:
    path = copy("mp3")
    tags = ID3()
    for name, text in (("MUSICBRAINZ_TRACKID", RECORDING), ("musicbrainz_albumid", RELEASE)):
        tags.add(TXXX(desc=name, text=[text]))
    tags.save(path)
    assert texts_of(path) == NOTHING | {"recording_mbid": RECORDING, "release_mbid": RELEASE}


def test_reads_apev2_of_an_mp3() -> None:
    found = texts_of(FILES / "ape_only.mp3")
    assert (found["title"], found["artist"], found["album"]) == ("Ape Title", "Ape Artist", "Ape Album")


def test_apev2_goes_before_id3v1_which_cuts_long_texts(copy) -> None:
    path = copy("mp3")
    title = "A title of more than thirty characters"
    cut = b"TAG" + title.encode()[:30] + b"Of ID3v1 alone".ljust(95, b"\0")
    path.write_bytes(path.read_bytes() + cut)
    assert (texts_of(path)["title"], texts_of(path)["artist"]) == (title[:30], "Of ID3v1 alone")
    path = copy("mp3")
    ape = APEv2()
    ape.update({"Title": title, "Year": "1999"})
    ape.save(path)
    path.write_bytes(path.read_bytes() + cut)
    found = texts_of(path)
    assert (found["title"], found["artist"], found["date"]) == (title, "Of ID3v1 alone", "1999")


def test_reads_id3_before_adts() -> None:
    found = texts_of(FILES / "adts.aac")
    assert (found["title"], found["artist"], found["genre"]) == ("Adts Title", "Adts Artist", "Rock")


def test_reads_id3_before_flac(copy) -> None:
    path = copy("flac")
    tags = ID3()
    tags.add(TIT2(text=["In front"]))
    tags.add(TPE1(text=["A"]))
    tags.save(path)
    assert texts_of(path) == NOTHING | {"title": "In front", "artist": "A"}


def test_reads_riff_info(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as output:
        output.metadata.update(title="Info Title", artist="Info Artist", genre="Jazz", date="1999")
        output.metadata.update(track="7", ISRC="A friend's tape")
        stream = output.add_stream("pcm_s16le", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4_410), np.int16), format="s16", layout="mono")
        frame.sample_rate = 44_100
        output.mux([*stream.encode(frame), *stream.encode(None)])
    assert texts_of(path) == NOTHING | {
        "title": "Info Title",
        "artist": "Info Artist",
        "genre": "Jazz",
        "date": "1999",
        "track_number": "7",
    }


def test_reads_text_chunks_of_aiff(copy) -> None:
    path = copy("aiff")
    chunks = b"".join(name + struct.pack(">I", len(text)) + text for name, text in TEXT_CHUNKS)
    content = path.read_bytes()
    path.write_bytes(
        content[:4] + struct.pack(">I", len(content) + len(chunks) - 8) + content[8:12] + chunks + content[12:]
    )
    assert texts_of(path) == NOTHING | {"title": "A Name", "artist": "Author"}


TEXT_CHUNKS = ((b"NAME", b"A Name"), (b"AUTH", b"Author"))


def test_the_same_value_twice_counts_once() -> None:
    assert texts_of(FILES / "wma_ffmpeg.wma")["artist"] == "W Artist"


@pytest.mark.parametrize(("name", "date"), [("YEAR", "1999"), ("DATE", "19990501")])
def test_reads_dates_of_vorbis_comments(copy, name: str, date: str) -> None:
    path = copy("flac")
    file = mutagen.File(path)
    file.update({name: [date], "title": ["T"], "artist": ["A"]})
    file.save()
    assert texts_of(path)["date"] == date


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wav", "aiff", "m4a", "wma", "aac"])
def test_a_file_without_tags_has_none_and_no_error(copy, suffix: str) -> None:
    assert texts_of(copy(suffix)) == NOTHING


@pytest.mark.parametrize("content", [b"", b"ID3\x04\x00\x00\x7f\x7f", b"fLaC\xff\xff\xff\xff", b"OggS" * 9])
@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wav", "m4a", "wma"])
def test_a_damaged_file_says_that_its_tags_cannot_be_read(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    tags = tags_of(path)
    assert tags.texts == NOTHING
    assert tags.error is not None
    assert tags.error.startswith("The tags cannot be read: ")


def test_a_book_in_a_tag_is_cut(copy) -> None:
    path = copy("flac")
    file = mutagen.File(path)
    file["title"] = "x" * 10**6
    file.save()
    assert texts_of(path)["title"] == "x" * MAX_TAG_CHARACTERS


def test_all_tags_at_their_largest_come_back_from_the_child(copy) -> None:
    path = copy("flac")
    file = mutagen.File(path)
    names = {"recording_mbid": "musicbrainz_trackid", "release_mbid": "musicbrainz_albumid"}
    names |= {"artist_mbids": "musicbrainz_artistid", "acoustid": "acoustid_id"}
    file.update({names.get(name, name): ["\U0001d11e" * 2_000] for name in TAG_NAMES})
    file.save()
    with IsolatedExtractor() as extractor:
        track = extractor.extract(path)
    assert isinstance(track, Track)
    assert track.tags == dict.fromkeys(TAG_NAMES, "\U0001d11e" * MAX_TAG_CHARACTERS)


def test_a_frame_that_unpacks_to_gigabytes_fails_in_the_child_and_costs_only_the_tags(copy) -> None:
    """The frame has 400 KB. It would fill 400 MB."""
    path = copy("mp3")
    title = zlib.compress(b"\0" + b"A" * 400 * 2**20, 9)
    size = 4 + len(title)
    header = b"ID3\3\0\0" + bytes(size + 10 >> shift & 127 for shift in (21, 14, 7, 0))
    frame = b"TIT2" + struct.pack(">IHI", size, 0x0080, 400 * 2**20 + 1) + title
    path.write_bytes(header + frame + path.read_bytes())
    with IsolatedExtractor(Limits(memory_bytes=300 * 2**20)) as extractor:
        track = extractor.extract(path)
    assert isinstance(track, Track)
    assert track.tags == NOTHING
    assert track.tags_error is not None
    assert track.tags_error.startswith("The tags cannot be read: MemoryError")


def test_atoms_nested_too_deep_are_a_sentence_about_the_file(tmp_path: Path) -> None:
    path = write_ffmpeg(tmp_path / "a.m4a", music(), "aac")
    nested = b""
    for _ in range(1_500):
        nested = struct.pack(">I4s", len(nested) + 8, b"udta") + nested
    path.write_bytes(path.read_bytes() + nested)
    error = tags_of(path).error
    assert error is not None
    assert error.startswith("The tags cannot be read: RecursionError")
    with IsolatedExtractor() as extractor:
        assert isinstance(extractor.extract(path), Rejection), "FFmpeg does not read it either"


def test_other_frames_do_not_matter(copy) -> None:
    path = copy("mp3")
    tags = ID3()
    tags.add(TIT2(text=["T"]))
    tags.add(TXXX(desc="comment", text=["x" * 100_000]))
    tags.save(path)
    assert texts_of(path) == NOTHING | {"title": "T"}
