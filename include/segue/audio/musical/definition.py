"""The musical descriptors of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MUSICAL_VERSION: Final = 1
"""Stored with every row. Raise it whenever a descriptor may change. The next run then extracts the files again."""


@dataclass(frozen=True)
class Musical:
    """The musical descriptors of a recording. A descriptor that it does not have is None.

    Parameters
    ----------
    tempo_bpm
        Beats a minute.
    tempo_confidence, tempo_half_confidence, tempo_double_confidence
        How likely the tempo is, and half and twice the tempo; 0 to 1.
    beat_regularity
        How regular the beat is; 0 to 1.
    key_tonic, key_mode
        Such as ``Eb`` and ``minor``; see `segue.audio.musical.key`.
    key_confidence
        How likely the key is; 0 to 1.
    loudness_lufs
        Integrated loudness after EBU R128.
    true_peak_dbtp
        Largest value of the signal between the samples, dB relative to full scale.
    error
        One sentence if the descriptors cannot be computed because of a fault in Segue, else None.
    """

    tempo_bpm: float | None = None
    tempo_confidence: float | None = None
    tempo_half_confidence: float | None = None
    tempo_double_confidence: float | None = None
    beat_regularity: float | None = None
    key_tonic: str | None = None
    key_mode: str | None = None
    key_confidence: float | None = None
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None
    error: str | None = None
