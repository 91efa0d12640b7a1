"""The embedded document server as a service of the stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pymongo.errors import PyMongoError

from segue import disk
from segue.connections import mongo, probes
from segue.errors import ServiceUnavailableError, StackError
from segue.settings import Settings
from segue.stack import code, memory
from segue.stack.document_servers import WIREDTIGER_CONFIG, WIREDTIGER_FILE, Kind, Server, choose
from segue.stack.pidfile import PidFile
from segue.stack.service import Service, pid_file

NAME = "mongo"
MANY_TRACKS = 20_000
"""With more tracks, the Python server is noticeably slow."""
ENVIRONMENT = {
    # One malloc arena for all threads. Otherwise each connection's thread keeps the memory of its largest answer.
    Kind.PYTHON: {"MALLOC_ARENA_MAX": "1"},
}


def server(settings: Settings) -> Server:
    """Choose the document server of this corpus.

    Returns
    -------
    Server
        The server that `Settings.document_server` names. With ``auto``, the best one of this machine that can read
        the documents of this corpus.

    Raises
    ------
    ConfigurationError
        If the named server cannot read them.
    PrerequisiteError
        If the server is not on this machine.
    """
    return choose(settings.document_server, written_by(settings))


def service(settings: Settings) -> Service:
    """Return the description of the document server.

    Returns
    -------
    Service
        Named ``mongo``, after the protocol.
    """
    chosen = server(settings)
    return Service(
        name=NAME,
        state_dir=settings.state_dir,
        data=_folder(settings),
        command=chosen.command(
            port=settings.mongo_port,
            data=_data(settings),
            config=_config(settings),
            cache_mb=memory.document_cache_mb(settings),
        ),
        check=lambda _: _is_ready(settings),
        environment=ENVIRONMENT.get(chosen.kind, {}),
        ports={"SEGUE_MONGO_PORT": settings.mongo_port},
        loads=code.installed() if chosen.kind is Kind.PYTHON else code.program(chosen.program),
        memory_limit_mb=memory.limit_mb(settings, NAME),
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the document server, and record that it writes the folder from now on.

    If it does not become healthy, nothing was written through it. Then the record is reset to the previous server.
    """
    described, before = service(settings), written_by(settings)
    try:
        _prepare(settings)
        bring_up(described)
    except (StackError, OSError) as error:
        if before and written_by(settings) is not before:
            _note(settings).write_text(f"{before}\n")
        full = disk.fullness(_data(settings))
        if full:
            raise StackError(f"{full} Free some space, then run `segue up` again.") from error
        raise


def _prepare(settings: Settings) -> None:
    config, data, kind = _config(settings), _data(settings), server(settings).kind
    data.mkdir(parents=True, exist_ok=True)  # mongod does not create its folder
    config.touch()  # without this file, even an empty one, the server reads the one in the user's home
    if written_by(settings) is not kind:
        _note(settings).write_text(f"{kind}\n")
    if kind is not Kind.MONGOD and not (data / WIREDTIGER_FILE).exists():
        (data / WIREDTIGER_FILE).write_text(WIREDTIGER_CONFIG)


def written_by(settings: Settings) -> Kind | None:
    """Return the server that has written this corpus' documents last, or None if there are none yet."""
    if not _has_documents(settings):
        return None
    try:
        return Kind(_note(settings).read_text().strip())
    except FileNotFoundError:  # the folder is from before there was a choice
        return Kind.PYTHON
    except ValueError as error:
        raise StackError(f"{_note(settings)} must contain one of the words {', '.join(Kind)}.") from error


def remarks(settings: Settings) -> Iterator[str]:
    """Describe the running server: what it is good for, how to get a better one, and what is slow with it.

    Yields
    ------
    str
        One sentence at a time.
    """
    chosen = server(settings).kind
    kind = _running(settings) or chosen
    yield f"The document server is {kind}: {kind.good_for}."
    if kind is not chosen:
        yield f"The next `segue up` starts {chosen} in its place."
    elif kind.better:
        yield kind.better
    if kind is Kind.PYTHON and (tracks := _tracks(settings)) > MANY_TRACKS:
        yield (
            f"With {tracks:,} tracks {kind} is slow: each publication and each training's read takes minutes, "
            "and most of one core."
        )


def _folder(settings: Settings) -> Path:
    return settings.state_dir / "mongo"


def _data(settings: Settings) -> Path:
    return _folder(settings) / "data"


def _config(settings: Settings) -> Path:
    return _folder(settings) / "secantusd.toml"


def _note(settings: Settings) -> Path:
    return _folder(settings) / "written-by"


def _has_documents(settings: Settings) -> bool:
    data = _data(settings)
    return data.is_dir() and any(path.name != WIREDTIGER_FILE for path in data.iterdir())


def _running(settings: Settings) -> Kind | None:
    """Return the running server, according to the command line of its process."""
    record = PidFile.read(pid_file(settings.state_dir, NAME))
    process = record.process() if record else None
    names = {Path(argument).name for argument in process.cmdline()[:2]} if process else set()
    return next((kind for kind in Kind if kind in names), None)


def _tracks(settings: Settings) -> int:
    with mongo.client(settings.mongo, selection_timeout_ms=3000) as client:
        try:
            return client[settings.mongo_database]["tracks"].estimated_document_count()
        except PyMongoError:
            return 0  # the table of services shows that it does not answer


def _is_ready(settings: Settings) -> bool:
    uri = f"mongodb://127.0.0.1:{settings.mongo_port}/?directConnection=true&journal=true"
    with mongo.client(uri, selection_timeout_ms=500, socket_timeout_ms=10_000) as client:
        try:
            probes.check_mongodb(client[settings.mongo_database])
        except (PyMongoError, ServiceUnavailableError):
            return False
    return True
