"""Compare Chromaprint fingerprints of planted copies and of other recordings of the same music.

    sudo apt-get install libchromaprint1
    .venv/bin/python benchmarks/fingerprints.py FOLDER [--planted 6]

FOLDER is a sample corpus. `planted.plant` puts copies and other recordings beside each piece. The table shows the
share of bits that differ from the fingerprint of the original, at the best alignment. It also shows the CPU time
of a fingerprint, without decoding. A rule by fingerprints can tell two kinds apart only if their ranges do not
overlap.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import av
import chromaprint
import numpy as np
from numpy.typing import NDArray
from planted import COPIES, pieces, plant
from rich.console import Console
from rich.table import Table

ALIGNMENTS = 24
"""Fingerprints are shifted by up to so many values, of an eighth of a second each."""

LEAST_SHARED = 20
"""Fewest values that two aligned fingerprints must have in common."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a sample corpus")
    parser.add_argument("--planted", type=int, default=6, help="pieces beside which tracks are planted")
    arguments = parser.parse_args()
    rates, cpu_s = defaultdict(list), []
    for piece in pieces(arguments.folder, arguments.planted):
        with tempfile.TemporaryDirectory() as folder:
            original, spent = fingerprint(piece.file)
            cpu_s.append(spent)
            for kind, file in plant(piece, Path(folder)):
                rates[kind].append(bit_error_rate(original, fingerprint(file)[0]))
    table = Table("kind", "same recording", "least bit error rate", "largest")
    for kind, found in rates.items():
        table.add_row(kind, "yes" if kind in COPIES else "no", f"{min(found):.3f}", f"{max(found):.3f}")
    Console().print(table)
    print(f"A fingerprint takes {1e3 * np.mean(cpu_s):.0f} ms of CPU.")


def fingerprint(file: Path) -> tuple[NDArray[np.uint32], float]:
    """Return the fingerprint of a file, 32 bits for each eighth of a second, and its CPU time."""
    samples = bytearray()
    with av.open(str(file)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("s16", "mono", stream.rate)
        for frame in container.decode(stream):
            for converted in resampler.resample(frame):
                samples += converted.to_ndarray().tobytes()
    started = time.process_time()
    printer = chromaprint.Fingerprinter()
    printer.start(stream.rate, 1)
    printer.feed(samples)
    values, _ = chromaprint.decode_fingerprint(printer.finish())
    return np.array(values, np.uint32), time.process_time() - started


def bit_error_rate(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """Return the smallest share of different bits over all alignments of two fingerprints."""
    best = 1.0
    for shift in range(-ALIGNMENTS, ALIGNMENTS + 1):
        left, right = one[max(shift, 0) :], other[max(-shift, 0) :]
        shared = min(len(left), len(right))
        if shared >= LEAST_SHARED:
            different = np.bitwise_count(left[:shared] ^ right[:shared])
            best = min(best, float(different.mean()) / 32)
    return best


if __name__ == "__main__":
    main()
