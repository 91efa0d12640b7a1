"""Extraction that a damaged file cannot break: it runs in a warm child process, and only that child can die.

The whole extraction runs in the child, so that what crosses the pipe is a path there and 518 numbers back. The
child is started once, by exec and not by fork (a Spark worker holds sockets and locks that a fork would copy),
serves one file after the other, and is replaced when it fails. It ends when this process ends, however that
happens: its pipe closes, and an alarm bounds the file in work.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from segue.audio.limits import Limits, configured
from segue.audio.reasons import Reason
from segue.audio.results import Rejection, Track
from segue.errors import ExtractionError

START_TIMEOUT_S = 900.0
"""The first start on a machine compiles the extraction: a minute of CPU, far more by the clock of a busy one."""

GRACE_S = 30.0
"""How long the parent waits for a child that should end by itself, before it kills it."""

MAX_REPLY_BYTES = 2**16


class IsolatedExtractor:
    """Extracts features in a child process of its own. Use it as a context manager, one a thread.

    - The child starts with the first file, which takes some seconds.
    - A crash, an endless loop or a huge allocation rejects the file at hand (DECODER_CRASHED, TIMED_OUT,
      OUT_OF_MEMORY); the next file gets a new child.
    - A crash or a lack of memory in a child that served other files before is tried once more in a new one, since
      an earlier file may have done the damage.

    Parameters
    ----------
    limits
        What is accepted, and the time and the memory of one file; default as configured, see `limits.configured`.

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
        """Process id of the child, or None while there is none."""
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
            If the child does not start; the message ends with what it printed.
        """
        while True:
            if self._child is None:
                self._child = _Child(self._limits)
            fresh = self._child.served == 0
            try:
                result = self._child.extract(str(path))
            except BaseException:
                self._discard()  # else its late reply would be taken for the next file's
                raise
            if not isinstance(result, Rejection) or result.reason not in _CHILD_FAILURES:
                return result
            self._discard()
            if fresh or result.reason is Reason.TIMED_OUT:
                return result


_CHILD_FAILURES = {Reason.DECODER_CRASHED, Reason.OUT_OF_MEMORY, Reason.TIMED_OUT}


class _Child:
    """One child process, from start to end. After one failure it is of no more use."""

    def __init__(self, limits: Limits) -> None:
        self.served = 0
        self._limits = limits
        # Takes what libraries print; read when the child fails.
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
            ready = self._receive(START_TIMEOUT_S) == b"ready"
        except (EOFError, OSError):
            ready = False
        if not ready:
            printed = self._printed()
            self.stop()
            raise ExtractionError(f"The extraction process did not start. It printed:\n{printed}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def extract(self, path: str) -> Track | Rejection:
        self.served += 1
        self._output.seek(0)
        self._output.truncate()
        try:
            self._pipe.send_bytes(json.dumps(path).encode())
            # JSON and not pickle: what parses hostile files must not be able to run code here.
            head, _, features = self._receive(self._limits.clock_timeout_s + GRACE_S).partition(b"\n")
            reply = json.loads(head)
            if features:
                return Track(path, np.frombuffer(features, np.float32), **reply)
            return Rejection(path, Reason(reply["reason"]), reply["message"], reply["content_hash"])
        except TimeoutError:
            self._process.kill()
            return self._timed_out(path)
        except (EOFError, OSError, ValueError, TypeError, KeyError):
            return self._post_mortem(path)

    def _receive(self, timeout_s: float) -> bytes:
        if not self._pipe.poll(timeout_s):
            raise TimeoutError
        return self._pipe.recv_bytes(MAX_REPLY_BYTES)

    def _timed_out(self, path: str) -> Rejection:
        message = f"It was not done after {self._limits.timeout_s:g} s of CPU or ten times that by the clock."
        return Rejection(path, Reason.TIMED_OUT, message)

    def _post_mortem(self, path: str) -> Rejection:
        printed = self._printed()
        status = self._end()
        if -status in {signal.SIGPROF, signal.SIGALRM}:
            return self._timed_out(path)
        cause = signal.Signals(-status).name if status < 0 else f"exit code {status}"
        last_line = f" ({printed.splitlines()[-1][-200:]})" if printed else ""
        return Rejection(path, Reason.DECODER_CRASHED, f"The decoder's process died of {cause}{last_line}.")

    def _printed(self) -> str:
        """Give the end of what the child, or a library in it, printed about the current file."""
        descriptor = self._output.fileno()
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, 4096, max(0, size - 4096)).decode(errors="replace").strip()

    def _end(self) -> int:
        """Wait for the child's end, which a closed pipe brings about, or bring it about; give its status."""
        self._pipe.close()
        try:
            return self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def stop(self) -> None:
        """End the child and give back all that it held. May be called twice."""
        self._end()
        self._output.close()


def _environment() -> dict[str, str]:
    """Give the child this process's import path, and one thread, since Spark runs one worker a core."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    import_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return os.environ | threads | {"PYTHONPATH": import_path}
