from __future__ import annotations

import io
import random
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from segue.demo.material import corpus_dir, soundfont
from segue.demo.scores import Score
from segue.demo.synthesis import ENSEMBLES, SAMPLE_RATE, Note, Performance, encode_mp3, perform, read_notes

SCALE = [Note(float(step), 1.0, 60 + pitch, 0) for step, pitch in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]


@pytest.fixture(scope="module")
def font() -> Path:
    return soundfont()


def play(font: Path, notes: list[Note] = SCALE, **changes: object) -> NDArray[np.float32]:
    performance = Performance(**{"ensemble": "piano", "tempo": 120.0, "level_db": -20.0, **changes})
    return perform(notes, 8.0, performance, font)


def rms_db(samples: NDArray[np.float32]) -> float:
    return 20 * float(np.log10(np.sqrt(np.mean(samples.astype(float) ** 2))))


@pytest.mark.parametrize("ensemble", sorted(ENSEMBLES))
def test_every_ensemble_sounds_at_the_level_asked_for_until_the_end(font: Path, ensemble: str) -> None:
    samples = play(font, ensemble=ensemble)
    assert samples.shape == (30 * SAMPLE_RATE, 2)
    assert np.abs(samples).max() <= 0.97 + 1e-6
    assert rms_db(samples) == pytest.approx(-20, abs=3)
    assert rms_db(samples[-3 * SAMPLE_RATE : -SAMPLE_RATE]) > -40, "a short piece is repeated to the end"


def test_the_pitches_of_the_score_are_heard(font: Path) -> None:
    mono = play(font, [Note(0.0, 8.0, 69, 0)], ensemble="reed organ").mean(axis=1)[:SAMPLE_RATE]
    assert np.median(librosa.yin(mono, fmin=100, fmax=2000, sr=SAMPLE_RATE)) == pytest.approx(440, rel=0.01)


def test_tempo_sets_the_time_between_notes(font: Path) -> None:
    for tempo in (90.0, 130.0):
        mono = play(font, tempo=tempo).mean(axis=1)
        onsets = librosa.onset.onset_detect(y=mono, sr=SAMPLE_RATE, units="time")
        assert np.median(np.diff(onsets)) == pytest.approx(60 / tempo, rel=0.05)


def test_instruments_differ_in_their_spectra(font: Path) -> None:
    mean_mfcc = [
        librosa.feature.mfcc(y=play(font, ensemble=ensemble).mean(axis=1), sr=SAMPLE_RATE).mean(axis=1)
        for ensemble in ("recorders", "brass", "harpsichord")
    ]
    assert min(np.linalg.norm(mean_mfcc[i] - mean_mfcc[j]) for i, j in ((0, 1), (0, 2), (1, 2))) > 10


def test_the_same_performance_gives_the_same_samples(font: Path) -> None:
    assert np.array_equal(play(font), play(font))


def test_a_piece_of_every_genre_sounds(font: Path, scores: dict[str, list[Score]]) -> None:
    corpus = corpus_dir()
    chromas = {}
    for genre, group in scores.items():
        notes, length = read_notes(corpus, random.Random(genre).choice(group))
        assert length > 0
        assert [note.onset for note in notes] == sorted(note.onset for note in notes)
        samples = perform(notes, length, Performance("accordion", 100.0, -20.0), font)
        assert rms_db(samples) == pytest.approx(-20, abs=3)
        chromas[genre] = librosa.feature.chroma_stft(y=samples.mean(axis=1), sr=SAMPLE_RATE).mean(axis=1)
    distances = [
        np.linalg.norm(one - two) for one in chromas.values() for two in chromas.values() if one is not two
    ]
    assert min(distances) > 0.01, "two pieces are the same music"


def test_polyphony_has_its_highest_part_first(scores: dict[str, list[Score]]) -> None:
    for genre in ("Chorale", "Mass"):  # MusicXML lists the soprano first, kern the bass
        notes, _ = read_notes(corpus_dir(), scores[genre][0])
        parts = max(note.part for note in notes) + 1
        means = [np.mean([note.pitch for note in notes if note.part == part]) for part in range(parts)]
        assert parts >= 4
        assert means == sorted(means, reverse=True)


def test_reading_a_score_writes_nothing_outside(scores: dict[str, list[Score]]) -> None:
    before = {path.name for path in Path("/tmp").glob("music21*")}  # noqa: S108 - where music21 keeps its cache
    for genre in ("Chorale", "Mass", "Reel"):
        read_notes(corpus_dir(), scores[genre][5])
    assert {path.name for path in Path("/tmp").glob("music21*")} == before  # noqa: S108 - as above


def test_the_mp3_has_the_duration_of_the_samples(font: Path) -> None:
    info = soundfile.info(io.BytesIO(encode_mp3(play(font))))
    assert (info.format, info.samplerate, info.channels, info.frames) == ("MP3", SAMPLE_RATE, 2, 30 * SAMPLE_RATE)
