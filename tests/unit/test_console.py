"""Names are printed as they are, whatever rich or a terminal would make of them."""

from __future__ import annotations

import io
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.progress import Progress
from rich.table import Table
from typer.testing import CliRunner

import segue
from segue.api import accounts
from segue.cli import app
from segue.connections import mongo
from segue.console import PlainColumn, PlainConsole
from segue.listens import migration
from segue.recommender.serving import champion, one_listener

NAMES = ["AC[/DC]", "Song [live]", "[red]Alert[/red]", "I :heart: you", "[link=https://a.example]b[/link]"]


def printed(what: object) -> str:
    console = PlainConsole()
    console.file = io.StringIO()
    console.print(what)
    return str(console.file.getvalue())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_it_is(name: str) -> None:
    table = Table("name", title=f"For {name}")
    table.add_row(name)
    assert printed(table).count(name) == 2
    assert printed(name) == f"{name}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_progress_bar_shows_a_name_as_it_is(name: str) -> None:
    bar = Progress(PlainColumn("{task.description}"), console=PlainConsole())
    bar.add_task(name)
    assert name in printed(bar.get_renderable())


def test_a_name_commands_no_terminal() -> None:
    assert printed("\x1b[2J\x9b2J\rgone") == "\\x1b[2J\\x9b2J\\rgone\n"


def test_recommend_prints_titles_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    monkeypatch.setattr(accounts, "Accounts", lambda _: SimpleNamespace(exists=lambda _: True))
    items = [
        {"rank": rank, "track_id": "t", "title": name, "artist": name, "reason": "new"}
        for rank, name in enumerate(NAMES, 1)
    ]
    found = {"model_version": "7", "items": items}
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(champion.Champion, "look", lambda *_: None)
    monkeypatch.setattr(mongo, "database", lambda: nullcontext({}))
    monkeypatch.setattr(migration, "prepare", lambda _: None)
    monkeypatch.setattr(one_listener, "Recommending", lambda *_, **__: SimpleNamespace(now=lambda *_, **__: found))
    result = CliRunner().invoke(app, ["recommend", "ann[/x]"], catch_exceptions=False)
    assert "For ann[/x], by 7" in result.output
    assert all(result.output.count(name) == 2 for name in NAMES)


def test_only_this_console_prints() -> None:
    """Rich's own console and its columns read markup."""
    folder = Path(segue.__file__).parent
    others = [path for path in folder.rglob("*.py") if path != folder / "console.py"]
    constructed = re.compile(r"\b(Console|TextColumn)\(")
    assert [path.name for path in others if constructed.search(path.read_text())] == []


def test_a_whole_table_is_not_cut_in_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table()
    for heading in ("Model", "NDCG@10", "Recall@20", "Coverage"):
        table.add_column(heading, no_wrap=True)
    table.add_row("item cosine", "0.1234", "0.2345", "0.3456")
    PlainConsole().print_whole(table)
    assert "│ item cosine │ 0.1234  │ 0.2345    │ 0.3456   │" in capsys.readouterr().out
