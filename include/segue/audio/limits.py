"""What a file may be and what its extraction may cost."""

from __future__ import annotations

from dataclasses import dataclass

from segue.settings import get_settings


@dataclass(frozen=True)
class Limits:
    """Limits of one extraction; a file outside them is rejected with the reason named here.

    Parameters
    ----------
    max_size_bytes
        Largest file that is read (TOO_LARGE).
    min_duration_s, max_duration_s
        Shortest and longest audio, in seconds (TOO_SHORT, TOO_LONG).
    min_sample_rate, max_sample_rate
        In Hz (BAD_RATE).
    max_channels
        Most channels that are mixed to mono (BAD_CHANNELS).
    min_complete
        Share of the stated duration that must decode (TRUNCATED). Encoders' padding costs a few frames.
    min_peak_to_peak
        Least distance between the lowest and the highest sample of the mono mix, full scale being 2 (SILENT).
        The default is two steps of 16-bit audio: what dither makes of silence.
    timeout_s
        Longest time for one file in the isolated child, in seconds of CPU (TIMED_OUT): a busy machine makes no
        file bad. Ten times as long by the clock, for a file system that hangs.
    memory_bytes
        Address space that one file may add to the isolated child (OUT_OF_MEMORY). An hour of music takes 280 MiB.
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

    @property
    def clock_timeout_s(self) -> float:
        """Longest time for one file by the clock, in seconds."""
        return 10 * self.timeout_s


def configured() -> Limits:
    """Take the limits that the environment sets (``SEGUE_AUDIO_…``); the others are those of `Limits()`.

    Returns
    -------
    Limits

    Raises
    ------
    ConfigurationError
        If a variable has a value that cannot work.
    """
    settings = get_settings()
    return Limits(
        max_size_bytes=settings.audio_max_size_mb * 2**20,
        max_duration_s=settings.audio_max_duration_s,
        timeout_s=settings.audio_timeout_s,
        memory_bytes=settings.audio_memory_mb * 2**20,
    )
