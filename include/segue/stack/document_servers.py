"""The document servers that Segue can start: the choice among them, and the command line of each."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from segue.errors import ConfigurationError, PrerequisiteError
from segue.settings import PROJECT_DIR

BUILT = PROJECT_DIR / ".secantusdb" / "bin"
"""Folder into which ``make documents-server`` installs the Rust server."""
AUTOMATIC = "auto"
WIREDTIGER_FILE = "WiredTiger.config"
WIREDTIGER_CONFIG = "transaction_sync=(enabled=true,method=none)\n"
"""With this option, each commit hands its log to the operating system, so it survives if the server is killed.

For a write with ``j: true``, the Python server does this too, and also waits for the disk. The Rust server ignores
``j``. Its option ``--sync-on-commit`` waits for the disk once for each new document, which made bulk writes 17
times as slow.
"""


class Kind(StrEnum):
    """The servers, the best first. Each value is the name of the program."""

    MONGOD = "mongod"
    RUST = "secantusd-rs"
    PYTHON = "secantusd-py"

    @property
    def reads(self) -> frozenset[Kind]:
        """The servers whose folders of documents this one can take over.

        MongoDB's folders have another format than SecantusDB's. The Python server opens a folder of the Rust
        server, but then refuses to create an index that the Rust server has created. Segue asks for its indexes at
        each start.
        """
        return frozenset({Kind.RUST, Kind.PYTHON} if self is Kind.RUST else {self})

    @property
    def good_for(self) -> str:
        """A few words on what the server is good for."""
        return {
            Kind.MONGOD: "MongoDB itself, for any size",
            Kind.RUST: "SecantusDB's Rust server, for 100,000 tracks and more",
            Kind.PYTHON: "SecantusDB's Python server, for trying Segue out and for up to 20,000 tracks",
        }[self]

    @property
    def better(self) -> str | None:
        """A sentence on how to get the next better server."""
        return {
            Kind.MONGOD: None,
            Kind.RUST: "MongoDB's own server takes its place for a new corpus once `mongod` is installed.",
            Kind.PYTHON: "`make documents-server` builds the faster secantusd-rs; the next `segue up` starts it.",
        }[self]


@dataclass(frozen=True)
class Server:
    """A server that this machine has."""

    kind: Kind
    program: Path

    def command(self, *, port: int, data: Path, config: Path, cache_mb: int, auth: bool = True) -> tuple[str, ...]:
        """Return the command line.

        Parameters
        ----------
        port : int
            Port of 127.0.0.1 to listen on.
        data : Path
            Folder of the documents.
        config : Path
            Configuration file for SecantusDB. mongod needs none.
        cache_mb : int
            Size of WiredTiger's cache, in MiB.
        auth : bool
            Whether clients must log in.

        Returns
        -------
        tuple of str
            Program and arguments.
        """
        login = ["--auth"] if auth else []
        if self.kind is Kind.MONGOD:
            arguments = [
                *("--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", str(data)),
                # mongod refuses a cache below 256 MiB.
                *("--wiredTigerCacheSizeGB", f"{max(cache_mb, 256) / 1024:g}", "--quiet"),
                *login,
            ]
            return (str(self.program), *arguments)
        arguments = [
            *("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(data)),
            *("--cache-size", f"{cache_mb}M", "--log-level", "WARNING"),
            *login,
        ]
        return (str(self.program), *arguments)


def choose(wanted: str, written_by: Kind | None) -> Server:
    """Choose the server to start.

    Parameters
    ----------
    wanted : str
        ``auto`` for the best one that this machine has, the name of a server, or the path of its program.
    written_by : Kind or None
        Server whose folder of documents must be taken over. None if there is no folder yet.

    Returns
    -------
    Server
        With ``auto``, one that can read the folder.

    Raises
    ------
    ConfigurationError
        If `wanted` is neither a server nor the path of one, or names one that cannot read the folder.
    PrerequisiteError
        If the server is not on this machine.
    """
    if wanted == AUTOMATIC:
        kinds = [kind for kind in Kind if written_by is None or written_by in kind.reads]
        found = next((server for kind in kinds if (server := find(kind))), None)
        if found is None:
            why = f"{written_by} has written this corpus' documents, and this" if written_by else "This"
            raise PrerequisiteError(
                f"{why} machine has no {' or '.join(kinds)}. docs/documents.md describes how to get one."
            )
        return found
    kind = _kind(wanted)
    if written_by is not None and written_by not in kind.reads:
        others = " or ".join(each for each in Kind if written_by in each.reads)
        raise ConfigurationError(
            f"SEGUE_DOCUMENT_SERVER={wanted}: {written_by} has written this corpus' documents, and {kind} cannot "
            f"take them over. Choose {others}, or move the documents as docs/documents.md describes."
        )
    server = _at(kind, wanted) if "/" in wanted else find(kind)
    if server is None:
        raise PrerequisiteError(
            f"SEGUE_DOCUMENT_SERVER={wanted}: there is no such program on this machine. "
            f"Install it, or unset the variable to take the best server there is."
        )
    return server


def _kind(wanted: str) -> Kind:
    name = Path(wanted).name
    for kind in Kind:
        if name == kind or ("/" in wanted and name.startswith(kind)):
            return kind
    raise ConfigurationError(
        f"SEGUE_DOCUMENT_SERVER={wanted}: choose {AUTOMATIC}, {', '.join(Kind)}, or the path of one of these."
    )


def _at(kind: Kind, path: str) -> Server | None:
    program = shutil.which(Path(path).expanduser())
    return Server(kind, Path(program).resolve()) if program else None


def find(kind: Kind) -> Server | None:
    """Return the server if this machine has it.

    Look beside this Python, in the folders of ``make documents-server`` and Cargo, and then in PATH.
    """
    for folder in (Path(sys.prefix) / "bin", BUILT, Path.home() / ".cargo" / "bin"):
        if shutil.which(kind, path=str(folder)):
            return Server(kind, folder / kind)
    program = shutil.which(kind)
    return Server(kind, Path(program)) if program else None
