"""The embedded document server as a service of the stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from segue import disk, private
from segue.connections import mongo, probes
from segue.errors import ServiceUnavailableError, StackError
from segue.secrets import USER
from segue.settings import Settings
from segue.stack import code, memory, ports, secrets
from segue.stack.document_servers import WIREDTIGER_CONFIG, WIREDTIGER_FILE, Kind, Server, choose
from segue.stack.pidfile import PidFile
from segue.stack.service import Service, pid_file

NAME = "mongo"
MANY_TRACKS = 20_000
"""With more tracks, the Python server is noticeably slow."""


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
    prepare = partial(_prepare, settings)
    return _service(settings, settings.mongo_port, auth=True, check=lambda _: _is_ready(settings), prepare=prepare)


def _service(
    settings: Settings,
    port: int,
    *,
    auth: bool,
    check: Callable[[datetime], bool],
    prepare: Callable[[], None],
) -> Service:
    chosen = server(settings)
    return Service(
        name=NAME,
        state_dir=settings.state_dir,
        data=_folder(settings),
        command=chosen.command(
            port=port,
            data=_data(settings),
            config=_config(settings),
            cache_mb=memory.document_cache_mb(settings),
            auth=auth,
        ),
        check=check,
        environment=memory.ONE_ARENA,
        ports={"SEGUE_MONGO_PORT": port},
        loads=(code.installed() if chosen.kind is Kind.PYTHON else code.program(chosen.program))
        + secrets.digest(settings),
        memory_limit_mb=memory.limit_mb(settings, NAME),
        prepare=prepare,
    )


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the document server, and record that it writes the folder from now on.

    If it does not become healthy, nothing was written through it. Then the record is reset to the previous server.
    """
    before = written_by(settings)
    try:
        bring_up(service(settings))
    except (StackError, OSError) as error:
        if before and written_by(settings) is not before:
            _note(settings).write_text(f"{before}\n")
        full = disk.fullness(_data(settings))
        if full:
            raise StackError(f"{full} Free some space, then run `segue up` again.") from error
        raise


def _prepare(settings: Settings) -> None:
    """Write what the server needs in its folder, which may be new: its configuration and its user."""
    _write_files(settings)
    record, known = _data(settings) / "segue-user", f"{server(settings).kind} {secrets.digest(settings)}"
    if not record.exists() or record.read_text() != known:
        _create_user(settings)
        private.write(record, known)


def _write_files(settings: Settings) -> None:
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


def _create_user(settings: Settings) -> None:
    """Give the stopped server one user, whose password is in the secrets, and no other users.

    SecantusDB's Python server can create its first user only while clients need not log in. So the server runs
    open for a moment, on a random port. Folders of earlier versions, which have no users, get one in the same way.
    A user that another program has created in that moment is dropped again.

    Raises
    ------
    StackError
        If the server refuses.
    """
    password = secrets.load(settings).mongo_password
    try:
        with _for_a_moment(settings, auth=False) as open_to_all:
            with suppress(OperationFailure):  # there is none yet
                open_to_all.command("dropUser", USER)
            open_to_all.command("createUser", USER, pwd=password, roles=["root"], mechanisms=["SCRAM-SHA-256"])
        with _for_a_moment(settings, auth=True) as admin:
            # SecantusDB's servers each answer one of these two questions with an empty list; mongod answers both.
            listed = admin.command("usersInfo", {"forAllDBs": True})["users"]
            stored = admin["system.users"].find({}, {"user": 1, "db": 1})
            for name, database in {(user["user"], user["db"]) for user in (*listed, *stored)} - {(USER, "admin")}:
                admin.client[database].command("dropUser", name)
    except PyMongoError as error:
        raise StackError(f"The document server cannot create its user: {error}") from error


@contextmanager
def _for_a_moment(settings: Settings, *, auth: bool) -> Iterator[Database[dict[str, Any]]]:
    """Run the server on a random port, and yield its database ``admin``."""
    [port] = ports.find_free(1)
    with _client(settings, port, login=auth) as client:
        write_files = partial(_write_files, settings)
        running = _service(settings, port, auth=auth, check=lambda _: _answers(client), prepare=write_files)
        running.start()
        try:
            running.wait(Event())
            yield client.admin
        finally:
            running.stop()


def _answers(client: MongoClient[dict[str, Any]]) -> bool:
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _client(settings: Settings, port: int, *, login: bool = True) -> MongoClient[dict[str, Any]]:
    uri = f"mongodb://{settings.mongo_login if login else ''}127.0.0.1:{port}/?directConnection=true&journal=true"
    return mongo.client(uri, selection_timeout_ms=500, socket_timeout_ms=10_000)


def _is_ready(settings: Settings) -> bool:
    with _client(settings, settings.mongo_port) as client:
        try:
            probes.check_mongodb(client[settings.mongo_database])
        except (PyMongoError, ServiceUnavailableError):
            return False
    return True
