"""The child's side of `isolation`: serves one file after the other until its pipe closes.

Only `isolation.IsolatedExtractor` runs it, as ``python -m segue.audio.isolation.child DESCRIPTOR LIMITS``.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from segue.audio.extract import Rejection, Track, extract
from segue.audio.features import FeatureAccumulator
from segue.audio.limits import Limits
from segue.audio.reasons import Reason


def main() -> None:
    """Warm up, set the limits, send ``ready``, then answer requests."""
    descriptor, limits_json = sys.argv[1:]
    limits = Limits(**json.loads(limits_json))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent; when the parent ends, the pipe closes
    _warm_up()
    _limit_resources(limits)
    with Connection(int(descriptor)) as pipe:
        pipe.send_bytes(b"ready")
        while True:
            try:
                path = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            with _time_limits(limits):
                pipe.send_bytes(_reply(_extract(path, limits)))


def _warm_up() -> None:
    """Load compiled code and tables, so that they do not count as time and memory of the first file."""
    accumulator = FeatureAccumulator(44_100)
    accumulator.add(np.random.default_rng(0).standard_normal(2 * 44_100).astype(np.float32))
    accumulator.finish()


def _limit_resources(limits: Limits) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    address_space = pages * resource.getpagesize() + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    alarms = {signal.SIGPROF, signal.SIGALRM}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, alarms)
    for alarm in alarms:
        signal.signal(alarm, signal.SIG_DFL)


@contextmanager
def _time_limits(limits: Limits) -> Iterator[None]:
    """Let the kernel end this process when its time is over. This works in native code, and without a parent."""
    signal.setitimer(signal.ITIMER_PROF, limits.timeout_s)
    signal.setitimer(signal.ITIMER_REAL, limits.clock_timeout_s)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _extract(path: str, limits: Limits) -> Track | Rejection:
    try:
        return extract(path, limits)
    except Exception as error:  # noqa: BLE001 - an error in Segue rejects one file and does not fail the job
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {where.name}, {Path(where.filename).name}:{where.lineno}"
        first_line = (str(error).splitlines() or [""])[0]
        return Rejection(path, Reason.EXTRACTION_FAILED, f"The extraction itself failed: {what}: {first_line}.")


def _reply(result: Track | Rejection) -> bytes:
    """Return a line of JSON, followed by the features if there are any."""
    not_in_json = {"path", "features"}
    head = json.dumps({name: value for name, value in vars(result).items() if name not in not_in_json})
    return head.encode() + b"\n" + (result.features.tobytes() if isinstance(result, Track) else b"")


if __name__ == "__main__":
    main()
