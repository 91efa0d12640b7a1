"""Limits on the properties of a file, and on the cost of its extraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.audio.embedding.definition import EmbeddingModel

if TYPE_CHECKING:
    from segue.settings import Settings


@dataclass(frozen=True)
class Limits:
    """Limits of one extraction. A file outside them is rejected with the reason named here.

    Parameters
    ----------
    max_size_bytes
        Size of the largest file that is read (TOO_LARGE).
    min_duration_s, max_duration_s
        Shortest and longest audio, in seconds (TOO_SHORT, TOO_LONG).
    min_sample_rate, max_sample_rate
        Lowest and highest sample rate, in Hz (BAD_RATE).
    max_channels
        Largest number of channels that are mixed to mono (BAD_CHANNELS).
    min_complete
        Share of the duration in the file's header that must decode (TRUNCATED). Encoders' padding costs a few
        frames.
    min_peak_to_peak
        Smallest distance between the lowest and the highest sample of the mono mix (SILENT). Full scale is 2. The
        default is two steps of 16-bit audio, the level of dithered silence.
    timeout_s
        CPU time limit of one file in the isolated child, in seconds (TIMED_OUT). CPU time does not depend on the
        load of the machine. The limit of wall time, for a file system that hangs, is ten times as long.
    memory_bytes
        Address space that one file may add to the isolated child (OUT_OF_MEMORY). An hour of music needs 280 MiB.
    musical
        Whether tempo, key and loudness are measured, too. They never reject a file.
    embedding
        The model that embeds the recording, too. None if there is none.
    """

    max_size_bytes: int = 8 * 2**30
    min_duration_s: float = 1.0
    max_duration_s: float = 6 * 3600.0
    min_sample_rate: int = 8_000
    max_sample_rate: int = 384_000
    max_channels: int = 8
    min_complete: float = 0.95
    min_peak_to_peak: float = 2.0**-14
    timeout_s: float = 120.0
    memory_bytes: int = 2 * 2**30
    musical: bool = True
    embedding: EmbeddingModel | None = None

    @property
    def clock_timeout_s(self) -> float:
        """Wall time limit of one file, in seconds."""
        return 10 * self.timeout_s


def configured() -> Limits:
    """Return the limits that the environment sets (``SEGUE_AUDIO_…``), and the defaults of `Limits` for the rest.

    Returns
    -------
    Limits

    Raises
    ------
    ConfigurationError
        If a variable has an invalid value.
    """
    from segue.settings import get_settings  # a fifth of the start of an isolated child, which does without

    settings = get_settings()
    return Limits(
        max_size_bytes=settings.audio_max_size_mb * 2**20,
        max_duration_s=settings.audio_max_duration_s,
        timeout_s=settings.audio_timeout_s,
        memory_bytes=settings.audio_memory_mb * 2**20,
        musical=settings.audio_musical,
        embedding=embedding_model(settings),
    )


def embedding_model(settings: Settings) -> EmbeddingModel | None:
    """Return the model that the settings name, or None."""
    if settings.audio_embedding_model is None:
        return None
    return EmbeddingModel(
        place=settings.audio_embedding_model,
        sample_rate=settings.audio_embedding_sample_rate,
        window_s=settings.audio_embedding_window_s,
        hop_s=settings.audio_embedding_hop_s or settings.audio_embedding_window_s,
        output=settings.audio_embedding_output,
    )
