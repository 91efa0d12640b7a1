"""Loudness as FFmpeg measures it, with its filter ebur128 through PyAV."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

AT_ONCE = 65_536


class Measured(NamedTuple):
    integrated_lufs: float
    true_peak_dbtp: float


def ebur128(samples: NDArray[np.float32], sample_rate: int, layout: str) -> Measured:
    """Measure a signal of shape (n, channels). The layout is FFmpeg's name for it, such as ``stereo``."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate, format="flt", layout=layout, time_base=Fraction(1, sample_rate)
    )
    meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    found: dict[str, str] = {}

    def drain() -> None:
        while True:
            try:
                found.update(sink.pull().metadata)
            except (av.BlockingIOError, av.EOFError):
                return

    for start in range(0, len(samples), AT_ONCE):
        block = np.ascontiguousarray(samples[start : start + AT_ONCE], np.float32)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = sample_rate, start
        source.push(frame)
        drain()
    source.push(None)
    drain()
    peak = float(found["lavfi.r128.true_peak"])
    return Measured(float(found["lavfi.r128.I"]), 20 * float(np.log10(peak)) if peak else -np.inf)
