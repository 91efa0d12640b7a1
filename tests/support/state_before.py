"""A whole state folder, as the version before issue 22 left it. `make_state_before` makes it anew.

The archive has no logs, secrets and process ids. Paths in its databases begin with `PLACEHOLDER` in place of the
folder where it was made.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

ARCHIVE = Path(__file__).parents[1] / "integration" / "state_before" / "state.tar.xz"
CORPUS = "before"
PLACEHOLDER = f"/segue/home/{CORPUS}"
EXPECTED = "expected.json"


def unpack(state_dir: Path) -> dict[str, Any]:
    """Create the state folder; return what its own version said of it (see `make_state_before.describe`)."""
    state_dir.mkdir(parents=True)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(state_dir, filter="data")
    replace_in_databases(state_dir, PLACEHOLDER, str(state_dir))
    expected = state_dir / EXPECTED
    described: dict[str, Any] = json.loads(expected.read_text())
    expected.unlink()
    return described


def replace_in_databases(folder: Path, old: str, new: str) -> None:
    """Replace a text in all columns of all tables of the SQLite databases in a folder, and compact them."""
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for _, column, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) '  # noqa: S608 - its own names
                        f'WHERE typeof("{column}") = \'text\' AND instr("{column}", ?)',
                        (old, new, old),
                    )
            database.commit()
            database.execute("VACUUM")
