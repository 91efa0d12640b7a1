"""Measure the index of sound: recall, CPU time of a search, of building and of adding, and memory.

    .venv/bin/python benchmarks/similarity.py [--tracks 106574] [--dimensions 64] [--widths 128 256]

The tracks are made up: 300 groups, and dimensions whose spread falls as that of principal components does. The
index that `segue.tracks.nearest` builds above its limit is compared with its exact search. `--widths` tries other
numbers of candidates while searching (HNSW's ef) on the same index.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import psutil
from numpy.typing import NDArray

from segue.tracks import nearest
from segue.tracks.nearest import SoundIndex

GROUPS = 300
SEARCHES = 500
NEIGHBOURS = 50
ADDED = 1_000


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=106_574)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--widths", type=int, nargs="+", default=[nearest.SEARCH_WIDTH])
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    vectors = made_up(arguments.tracks + ADDED, arguments.dimensions, random)
    index = SoundIndex()
    index.add([str(i) for i in range(arguments.tracks)], vectors[: arguments.tracks])
    asked = vectors[random.choice(arguments.tracks, SEARCHES, replace=False)]
    exact, exact_ms = searched(index, asked)
    nearest.EXACT_BELOW = 0  # type: ignore[misc] # also below the limit
    before_bytes, began = psutil.Process().memory_info().rss, time.process_time()
    index.build_graph()
    built_s, size_bytes = time.process_time() - began, psutil.Process().memory_info().rss - before_bytes
    print(f"{arguments.tracks:,} tracks, {arguments.dimensions} dimensions; CPU time")
    print(f"search, exact      {exact_ms:.2f} ms")
    print(f"build              {built_s:.1f} s, {size_bytes / 1e6:,.0f} MB", flush=True)
    for width in arguments.widths:
        nearest.SEARCH_WIDTH = width
        found, approximate_ms = searched(index, asked)
        recall = [len(a & b) / NEIGHBOURS for a, b in zip(exact, found, strict=True)]
        print(
            f"search, width {width:<4} {approximate_ms:.2f} ms, recall@{NEIGHBOURS} {np.mean(recall):.4f} "
            f"± {1.96 * np.std(recall) / np.sqrt(SEARCHES):.4f} (95 %)",
            flush=True,
        )
    began = time.process_time()
    index.add([f"new {i}" for i in range(ADDED)], vectors[arguments.tracks :])
    added_s = time.process_time() - began
    print(f"add {ADDED:,} tracks   {added_s:.2f} s")


def made_up(count: int, dimensions: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return places of tracks in groups, each of length 1."""
    spread = (1 + np.arange(dimensions)) ** -0.5
    centres = random.normal(size=(GROUPS, dimensions)) * spread
    places = centres[random.integers(0, GROUPS, count)] + random.normal(size=(count, dimensions)) * spread
    lengths = np.linalg.norm(places, axis=1, keepdims=True)
    return (places / lengths).astype(np.float32)


def searched(index: SoundIndex, asked: NDArray[np.float32]) -> tuple[list[set[str]], float]:
    """Search; return what was found, and the CPU time of one search in milliseconds."""
    began = time.process_time()
    found = [{track for track, _ in index.near(vector, NEIGHBOURS)} for vector in asked]
    return found, 1_000 * (time.process_time() - began) / len(asked)


if __name__ == "__main__":
    main()
