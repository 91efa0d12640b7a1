"""Extraction in a warm child process, so that a damaged file can only crash the child.

- The whole extraction runs in the child. A path goes through the pipe, and 518 numbers come back, besides tags and
  descriptors.
- The child is started once, serves one file after the other, and is replaced when it fails.
- It is started by exec, not by fork, because a fork would copy the sockets and locks of a Spark worker.
- It ends when this process ends, whatever the cause: its pipe closes, and an alarm limits the current file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_FEATURES
from segue.audio.embedding.definition import Embedding
from segue.audio.limits import Limits, configured
from segue.audio.musical.definition import Musical
from segue.audio.reasons import Reason
from segue.audio.results import WHOLE, Header, Outcome, Rejection, Span, Tags, Track
from segue.errors import ExtractionError

START_TIMEOUT_S = 900.0
"""The first start on a machine compiles the extraction. This takes a minute of CPU time, and much more wall time
if the machine is busy."""

GRACE_S = 30.0
"""Time that a child has to end by itself, before the parent kills it."""

ATTEMPTS = 3
"""How often a file is tried if its child is killed from outside."""

PAUSE_S = 2.0
"""Seconds before the second attempt; twice as many before the third. Meanwhile, memory may become free."""

STEP_S = 1.0
"""How often the parent counts the time for which it waits for a reply."""

MAX_REPLY_BYTES = 2**18
"""For each span. Features take 2 KB, an embedding at most 32 KB, and tags at most 156 KB, if JSON escapes every
character."""


class IsolatedExtractor:
    """Extracts features in a separate child process. Use it as a context manager, one per thread.

    - The child starts with the first file, which takes some seconds.
    - A crash, an endless loop or a huge allocation rejects the current file (DECODER_CRASHED, TIMED_OUT,
      OUT_OF_MEMORY). The next file gets a new child.
    - If the child has served other files before, a file that crashes it or exceeds its memory is tried once more
      in a new child, because an earlier file may have done the damage.
    - If the child is killed from outside, for example because the machine has run out of memory, the file is tried
      `ATTEMPTS` times, with pauses. Then it is rejected as KILLED, and the next run tries it again. The same holds
      if the child's time is over because it was suspended.

    Parameters
    ----------
    limits
        Accepted files, and time and memory for one file. Default: `limits.configured`.

    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or configured()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None if there is none."""
        return self._child.pid if self._child else None

    def extract(self, path: str | Path) -> Track | Rejection:
        """Extract the features of one file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Track or Rejection

        Raises
        ------
        ExtractionError
            If the child does not start. The message ends with its output.
        """
        [outcome] = self.extract_spans(path, [WHOLE])
        return outcome

    def extract_spans(self, path: str | Path, spans: Sequence[Span]) -> list[Track | Rejection]:
        """Extract the features of spans of one file, such as the tracks of an album.

        Parameters
        ----------
        path : str or Path
        spans : sequence of (float, float or None)
            As for `segue.audio.extract.extract_spans`.

        Returns
        -------
        list of Track or Rejection
            One for each span.

        Raises
        ------
        ExtractionError
            As `extract`.
        """
        return cast("list[Track | Rejection]", self._ask("extract", str(path), spans))

    def read_tags(self, path: str | Path) -> Tags | Rejection:
        """Read the tags of one file and hash its audio, without decoding it.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Tags or Rejection

        Raises
        ------
        ExtractionError
            As `extract`.
        """
        return cast("Tags | Rejection", self._ask("read_tags", str(path))[0])

    def read_header(self, path: str | Path) -> Header | Rejection:
        """Read the length that a file states, without decoding it. Otherwise as `read_tags`."""
        return cast("Header | Rejection", self._ask("read_header", str(path))[0])

    def _ask(self, operation: str, path: str, spans: Sequence[Span] = (WHOLE,)) -> list[Outcome]:
        kills = 0
        while True:
            if self._child is None:
                self._child = _Child(self._limits)
            fresh = self._child.served == 0
            try:
                results = self._child.ask(operation, path, spans)
            except BaseException:
                self._discard()  # otherwise its late reply would be taken for that of the next file
                raise
            result = results[0]  # a failure of the child rejects all spans of its file
            if not isinstance(result, Rejection) or result.reason not in _CHILD_FAILURES:
                return results
            self._discard()
            if result.reason is Reason.KILLED:
                kills += 1
                if kills == ATTEMPTS:
                    return results
                time.sleep(PAUSE_S * kills)
            elif fresh or result.reason is Reason.TIMED_OUT:
                return results


_CHILD_FAILURES = {Reason.DECODER_CRASHED, Reason.KILLED, Reason.OUT_OF_MEMORY, Reason.TIMED_OUT}

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
"""No decoder ends its own process by one of these signals."""


class _Child:
    """One child process, from start to end. After a failure it must be replaced."""

    def __init__(self, limits: Limits) -> None:
        self.served = 0
        self._limits = limits
        # Receives the output of libraries. It is read when the child fails.
        self._output = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed in stop()
        self._pipe, childs_end = Pipe()
        module = "segue.audio.isolation.child"
        with childs_end:
            descriptor = childs_end.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(descriptor), json.dumps(asdict(limits))],
                env=_environment(),
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
            )
        try:
            ready = self._receive(START_TIMEOUT_S, MAX_REPLY_BYTES) == b"ready"
        except (EOFError, OSError):
            ready = False
        if not ready:
            printed = self._printed()
            self.stop()
            raise ExtractionError(f"The extraction process did not start. It printed:\n{printed}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, operation: str, path: str, spans: Sequence[Span]) -> list[Outcome]:
        self.served += 1
        self._output.seek(0)
        self._output.truncate()
        try:
            self._pipe.send_bytes(json.dumps([operation, path, spans]).encode())
            # JSON, not pickle: a process that parses hostile files must not be able to run code here.
            reply = self._receive(self._limits.clock_timeout_s + GRACE_S, MAX_REPLY_BYTES * len(spans))
            return _outcomes(operation, path, reply, len(spans))
        except TimeoutError:
            self._process.kill()
            return [self._timed_out(path)] * len(spans)
        except (EOFError, OSError, ValueError, TypeError, LookupError):
            return [self._post_mortem(path)] * len(spans)

    def _receive(self, timeout_s: float, max_bytes: int) -> bytes:
        self._waited_s = 0.0
        # In short steps: a suspension, such as of the whole machine, then counts as one step at most.
        while not self._pipe.poll(STEP_S):
            self._waited_s += STEP_S
            if self._waited_s >= timeout_s:
                raise TimeoutError
        return self._pipe.recv_bytes(max_bytes)

    def _timed_out(self, path: str) -> Rejection:
        message = f"It was not done after {self._limits.timeout_s:g} s of CPU or ten times that by the clock."
        return Rejection(path, Reason.TIMED_OUT, message)

    def _post_mortem(self, path: str) -> Rejection:
        printed = self._printed()
        status = self._end()
        # The clock of the child's alarm runs on while the machine or this service is suspended.
        too_early = -status == signal.SIGALRM and self._waited_s < self._limits.clock_timeout_s / 2
        if -status in {signal.SIGPROF, signal.SIGALRM} and not too_early:
            return self._timed_out(path)
        if too_early or -status in _FROM_OUTSIDE:
            killer = signal.Signals(-status).name
            message = f"The decoder's process was killed from outside by {killer}, {ATTEMPTS} times."
            return Rejection(path, Reason.KILLED, message)
        cause = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        last_line = f" ({printed.splitlines()[-1][-200:]})" if printed else ""
        return Rejection(path, Reason.DECODER_CRASHED, f"The decoder's process died of {cause}{last_line}.")

    def _printed(self) -> str:
        """Return the last output of the child, or of a library in it, for the current file."""
        descriptor = self._output.fileno()
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").strip()

    def _end(self) -> int:
        """Close the pipe, wait until the child ends, or kill it. Return its exit status."""
        self._pipe.close()
        try:
            return self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def stop(self) -> None:
        """End the child and free its resources. May be called twice."""
        self._end()
        self._output.close()


def _outcomes(operation: str, path: str, reply: bytes, spans: int) -> list[Outcome]:
    """Read the child's reply. Raise ValueError, TypeError or LookupError if it is none."""
    heads, _, data = reply.partition(b"\n")
    vectors = BytesIO(data)
    outcomes: list[Outcome] = []
    for head in json.loads(heads):
        if "reason" in head:
            outcomes.append(Rejection(path, Reason(head["reason"]), head["message"], head["content_hash"]))
        elif operation == "extract":
            musical = head.pop("musical")
            described = None if musical is None else Musical(**musical)
            features = _vector(vectors, 4 * N_FEATURES)
            embedding = _embedding(head.pop("embedding"), vectors)
            outcomes.append(Track(path, features, **head, musical=described, embedding=embedding))
        else:
            outcomes.append(Tags(**head) if operation == "read_tags" else Header(**head))
    if len(outcomes) != spans:
        raise ValueError(f"{len(outcomes)} outcomes for {spans} spans")
    return outcomes


def _embedding(head: dict[str, Any] | None, vectors: BytesIO) -> Embedding | None:
    if head is None:
        return None
    size_bytes = head.pop("bytes")
    return Embedding(**head, vector=_vector(vectors, size_bytes) if size_bytes else None)


def _vector(vectors: BytesIO, size_bytes: int) -> NDArray[np.float32]:
    """Read the next vector. Raise ValueError if the reply ends before."""
    return np.frombuffer(vectors.read(size_bytes), np.float32, size_bytes // 4)


def _environment() -> dict[str, str]:
    """Return the child's environment: this process's import path, and one thread, because Spark uses all cores."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    import_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return os.environ | threads | {"PYTHONPATH": import_path}
