"""From a score to sound: notes by music21, synthesis by TinySoundFont, MP3 by libsndfile.

Instruments, tempo and loudness of a piece are drawn independently of its score, so timbre and tempo reveal nothing
about the genre. Only the music itself distinguishes genres.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from segue.demo.scores import Score, tunes

SAMPLE_RATE = 44_100
DURATION_S = 30.0
_FADE_OUT_S = 0.5
_VELOCITY_SPREAD = 10

# General MIDI programs, from the highest part to the lowest.
ENSEMBLES: dict[str, tuple[int, ...]] = {
    "strings": (40, 40, 41, 42),
    "woodwinds": (73, 68, 71, 70),
    "brass": (56, 56, 60, 57),
    "saxophones": (64, 65, 66, 67),
    "recorders": (74, 74, 75, 71),
    "voices": (52, 52, 53, 53),
    "piano": (0,),
    "harpsichord": (6,),
    "church organ": (19,),
    "reed organ": (20,),
    "accordion": (21,),
    "harmonica": (22,),
    "nylon guitar": (24,),
    "steel guitar": (25,),
    "harp": (46,),
    "marimba": (12,),
    "dulcimer": (15,),
    "slow strings": (49,),
    "banjo": (105,),
    "koto": (107,),
}


@dataclass(frozen=True)
class Performance:
    """Instruments, tempo and loudness of a piece.

    Attributes
    ----------
    ensemble
        Key of `ENSEMBLES`.
    tempo
        Quarter notes per minute.
    level_db
        Loudness of the piece as RMS, in dB relative to full scale.
    """

    ensemble: str
    tempo: float
    level_db: float

    @classmethod
    def draw(cls, rng: random.Random) -> Performance:
        """Draw a performance. It is deliberately independent of the piece."""
        return cls(
            ensemble=rng.choice(sorted(ENSEMBLES)),
            tempo=round(rng.uniform(84, 138), 1),
            level_db=round(rng.uniform(-24, -17), 1),
        )


@dataclass(frozen=True, order=True)
class Note:
    """One note: onset and duration in quarter notes, MIDI pitch, part counted from 0 at the top."""

    onset: float
    duration: float
    pitch: int
    part: int


def read_notes(corpus: Path, score: Score) -> tuple[list[Note], float]:
    """Read the notes of a score, and join tied notes.

    Returns
    -------
    notes
        In order of onset.
    length
        Duration of one pass through the score, in quarter notes.
    """
    from music21 import converter  # takes a second, so only the rendering processes import it

    file = corpus / score.path
    if file.suffix == ".abc":
        text = tunes(file.read_text(encoding="utf-8", errors="replace"))[score.tune]
        stream = converter.parse(text, format="abc", forceSource=True)
    else:
        # Do not use music21's pickles in the system's temporary folder.
        stream = converter.parseFile(file, forceSource=True, storePickle=False)
    notes = [
        Note(float(element.offset), float(element.quarterLength), pitch.midi, part)
        for part, voice in enumerate(_from_high_to_low(stream))
        for element in voice.flatten().stripTies().notes
        if element.quarterLength > 0 and "ChordSymbol" not in element.classes  # no grace notes, no chord names
        for pitch in element.pitches
    ]
    return sorted(notes), float(stream.highestTime)


def _from_high_to_low(stream: Any) -> list[Any]:
    """Return the parts, highest first. Kern files list them from the bass up."""
    parts = list(stream.parts) if stream.hasPartLikeStreams() else [stream]

    def mean_pitch(part: Any) -> float:
        pitches = [pitch.midi for pitch in part.pitches]
        return float(np.mean(pitches)) if pitches else 0.0

    return sorted(parts, key=mean_pitch, reverse=True)


def perform(
    notes: list[Note], length: float, performance: Performance, font: Path, *, duration_s: float = DURATION_S
) -> NDArray[np.float32]:
    """Play notes, repeating them until the time is up.

    Parameters
    ----------
    notes, length
        See `read_notes`.
    performance
        Instruments, tempo and loudness.
    font
        SoundFont, see `segue.demo.material.soundfont`.
    duration_s
        Duration of the result in seconds.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        Samples at 44.1 kHz, within [-1, 1].
    """
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE, gain=-12)
    font_id = synth.sfload(str(font))
    programs = ENSEMBLES[performance.ensemble]
    parts = max(note.part for note in notes) + 1
    for part in range(parts):
        synth.program_select(part, font_id, 0, programs[min(part, len(programs) - 1)])
        synth.control_change(part, 10, 64 if parts == 1 else 34 + 60 * part // (parts - 1))  # pan

    total = int(duration_s * SAMPLE_RATE)
    samples = np.empty((total, 2), dtype=np.float32)
    now = 0
    for at, part, pitch, velocity in _events(notes, length, 60 * SAMPLE_RATE / performance.tempo, total):
        if at > now:
            samples[now:at] = np.frombuffer(synth.generate(at - now), dtype=np.float32).reshape(-1, 2)
            now = at
        if velocity:
            synth.noteon(part, pitch, velocity)
        else:
            synth.noteoff(part, pitch)
    samples[now:] = np.frombuffer(synth.generate(total - now), dtype=np.float32).reshape(-1, 2)

    rms = float(np.sqrt(np.mean(np.square(samples), dtype=np.float64)))
    peak = float(np.abs(samples).max())
    samples *= min(10 ** (performance.level_db / 20) / rms, 0.97 / peak)
    fade = int(_FADE_OUT_S * SAMPLE_RATE)
    samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return samples


def _events(
    notes: list[Note], length: float, samples_per_quarter: float, total: int
) -> list[tuple[int, int, int, int]]:
    """Return (sample, part, pitch, velocity) in order of time. Velocity 0 ends a note."""
    rng = random.Random(len(notes))  # small variations, the same at every rendering
    events = []
    for start in np.arange(0, total / samples_per_quarter, length):
        for note in notes:
            on = int((start + note.onset) * samples_per_quarter)
            # Release a little early, so that a repeated pitch is struck again.
            off = int((start + note.onset + 0.95 * note.duration) * samples_per_quarter)
            velocity = 90 + rng.randint(-_VELOCITY_SPREAD, _VELOCITY_SPREAD)
            if on < total:
                events.append((on, note.part, note.pitch, velocity))
                events.append((min(off, total), note.part, note.pitch, 0))
    return sorted(events, key=lambda event: (event[0], event[3] > 0))


def encode_mp3(samples: NDArray[np.float32]) -> bytes:
    """Encode stereo samples at 44.1 kHz as MP3 with a variable bit rate of about 80 kbit/s.

    Parameters
    ----------
    samples
        Shape (n, 2), within [-1, 1].
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.7)
    return buffer.getvalue()
