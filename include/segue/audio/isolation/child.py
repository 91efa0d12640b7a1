"""The child's side of `isolation`: serves one file after the other until its pipe closes.

Only `isolation.IsolatedExtractor` runs it, as ``python -m segue.audio.isolation.child DESCRIPTOR LIMITS``.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from segue.audio.embedding.definition import EmbeddingModel
from segue.audio.extract import Rejection, Span, Track, extract_spans, header_of, tags_of
from segue.audio.isolation.warm_up import warm_up
from segue.audio.limits import Limits
from segue.audio.reasons import Reason
from segue.audio.results import Outcome
from segue.errors import SegueError

Operation = Callable[[str, Limits, Sequence[Span]], Sequence[Outcome]]

OPERATIONS: dict[str, Operation] = {
    "extract": extract_spans,
    "read_tags": lambda path, limits, _: [tags_of(path, limits)],
    "read_header": lambda path, limits, _: [header_of(path, limits)],
}
"""Each returns one outcome for each span. The tags are those of one span: the whole file."""


def main() -> None:
    """Warm up, set the limits, send ``ready``, then answer requests."""
    descriptor, limits_json = sys.argv[1:]
    fields = json.loads(limits_json)
    limits = Limits(**fields | {"embedding": EmbeddingModel.of(fields["embedding"])})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent; when the parent ends, the pipe closes
    try:  # before the limits, so that it does not count as time and memory of the first file
        warm_up(musical=limits.musical, embedding=limits.embedding)
    except SegueError as error:
        sys.exit(str(error))  # without a traceback
    _limit_resources(limits)
    with Connection(int(descriptor)) as pipe:
        pipe.send_bytes(b"ready")
        while True:
            try:
                operation, path, spans = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            with _time_limits(limits):
                pipe.send_bytes(_reply(_run(OPERATIONS[operation], path, limits, spans)))


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


def _run(operation: Operation, path: str, limits: Limits, spans: Sequence[Span]) -> Sequence[Outcome]:
    try:
        return operation(path, limits, spans)
    except Exception as error:  # noqa: BLE001 - an error in Segue rejects one file and does not fail the job
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {where.name}, {Path(where.filename).name}:{where.lineno}"
        first_line = (str(error).splitlines() or [""])[0]
        message = f"The extraction itself failed: {what}: {first_line}."
        return [Rejection(path, Reason.EXTRACTION_FAILED, message)] * len(spans)


def _reply(outcomes: Sequence[Outcome]) -> bytes:
    """Return a line of JSON, followed by the features and the embedding of each track."""
    not_in_json = {"path", "features"}
    heads = [{name: value for name, value in vars(each).items() if name not in not_in_json} for each in outcomes]
    vectors: list[bytes] = []
    for head, outcome in zip(heads, outcomes, strict=True):
        if isinstance(outcome, Track):
            vectors.append(outcome.features.tobytes())
            head["musical"] = outcome.musical and vars(outcome.musical)
            if embedding := outcome.embedding:
                vector = b"" if embedding.vector is None else embedding.vector.tobytes()
                vectors.append(vector)
                head["embedding"] = {"version": embedding.version, "error": embedding.error, "bytes": len(vector)}
    return json.dumps(heads).encode() + b"\n" + b"".join(vectors)


if __name__ == "__main__":
    main()
