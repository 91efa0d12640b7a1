"""Leave out lines of Java that nobody can act on, and that none of its options suppresses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

NOISE = (
    # The first line of every JVM of Spark, which always loads this module.
    "WARNING: Using incubator modules: jdk.incubator.vector",
    # Segue names no native library on purpose.
    "JNI_OnLoad: dlopen(/none) failed: /none: cannot open shared object file: No such file or directory",
)
"""Ends of the lines."""

_FIRST_LINE = f"{NOISE[0]}\n".encode()


@contextmanager
def without_first_line() -> Iterator[None]:
    """Start a JVM in this block. What it writes to stderr passes through a thread, but for its first line."""
    stderr = os.dup(2)
    source, pipe = os.pipe()
    Thread(target=_forward, args=(source, stderr), name="stderr-of-java", daemon=True).start()
    os.dup2(pipe, 2)
    os.close(pipe)
    try:
        yield
    finally:
        os.dup2(stderr, 2)


def _forward(source: int, stderr: int) -> None:
    """Copy all bytes until the JVM has ended, but for the first line, which Java writes at once."""
    while written := os.read(source, 2**16):
        os.write(stderr, written.replace(_FIRST_LINE, b""))
    os.close(source)
    os.close(stderr)
