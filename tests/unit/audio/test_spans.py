"""The tracks of an album's file are extracted as if each were a file, and the file is decoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.audio_files import SAMPLE_RATE, music, write_soundfile

from segue.audio import extract as extraction
from segue.audio.decoding.decode import Opener, decoders
from segue.audio.extract import extract, extract_spans, header_of
from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits
from segue.audio.reasons import Reason
from segue.audio.results import Header, Rejection, Track

SPANS = [(0.0, 2.0), (2.0, 3.52), (3.52, None)]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundfile(tmp_path_factory.mktemp("album") / "album.flac", music(6.0))


def test_spans_have_the_features_of_files_cut_there(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def counted(opener: Opener) -> Opener:
        return lambda *arguments: opened.append(opener) or opener(*arguments)

    monkeypatch.setattr(extraction, "decoders", lambda file: list(map(counted, decoders(file))))
    tracks = extract_spans(album, Limits(), SPANS)
    assert len(opened) == 1, "one decode"
    for (start, end), track in zip(SPANS, tracks, strict=True):
        cut = music(6.0)[round(start * SAMPLE_RATE) : None if end is None else round(end * SAMPLE_RATE)]
        alone = extract(write_soundfile(tmp_path / "cut.flac", cut))
        assert isinstance(track, Track)
        assert isinstance(alone, Track)
        assert track.duration_s == alone.duration_s
        assert np.array_equal(track.features, alone.features)


def test_a_span_without_enough_sound_is_rejected_alone(tmp_path: Path) -> None:
    sound = music(4.0)
    sound[2 * SAMPLE_RATE :] = 0
    path = write_soundfile(tmp_path / "album.flac", sound)
    spans = [(0.0, 2.0), (2.0, 3.5), (3.5, None), (9.0, None)]
    outcomes = extract_spans(path, Limits(), spans)
    assert isinstance(outcomes[0], Track)
    reasons = [each.reason for each in outcomes[1:] if isinstance(each, Rejection)]
    assert reasons == [Reason.SILENT, Reason.TOO_SHORT, Reason.TOO_SHORT]
    assert "begins at 9.00 s, and its file ends before that" in outcomes[3].message  # type: ignore[union-attr]


def test_the_isolated_child_extracts_spans_and_reads_lengths(album: Path, tmp_path: Path) -> None:
    (tmp_path / "text.flac").write_bytes(b"no audio")
    with IsolatedExtractor() as extractor:
        tracks = extractor.extract_spans(album, SPANS)
        rejected = extractor.extract_spans(tmp_path / "text.flac", SPANS)
        headers = [extractor.read_header(path) for path in (album, tmp_path / "text.flac")]
    here = extract_spans(album, Limits(), SPANS)
    assert [each.duration_s for each in tracks if isinstance(each, Track)] == pytest.approx([2.0, 1.52, 2.48])
    for child, own in zip(tracks, here, strict=True):
        assert isinstance(child, Track)
        assert isinstance(own, Track)
        assert np.array_equal(child.features, own.features)
    assert [each.reason for each in rejected if isinstance(each, Rejection)] == [Reason.UNREADABLE] * 3
    assert headers == [Header(6.0), Header(None)]


def test_the_length_of_a_missing_file_is_a_rejection(tmp_path: Path) -> None:
    found = header_of(tmp_path / "none.flac", Limits())
    assert isinstance(found, Rejection)
    assert found.reason is Reason.NOT_FOUND
