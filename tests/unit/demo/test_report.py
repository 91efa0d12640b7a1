"""The demo's table of results."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from segue.demo.report import _place_rows
from segue.settings import Settings
from segue.stack import airflow


def test_the_table_names_the_servers_without_password_and_options(tmp_path: Path) -> None:
    here = Settings(home=tmp_path, mongo_uri="mongodb://segue:hidden@one:27017,two:27018/?replicaSet=rs0")
    airflow.login(here)
    table = Table()
    _place_rows(table, here, None)
    console = Console(width=200, record=True)
    console.print(table)
    shown = console.export_text()
    assert "one:27017,two:27018 database segue" in shown
    assert "hidden" not in shown
    assert "replicaSet" not in shown


def test_the_password_of_an_airflow_elsewhere_is_not_shown(tmp_path: Path) -> None:
    table = Table()
    login = airflow.Login("http://airflow-apiserver:8080", "operator", "hidden")
    _place_rows(table, Settings(home=tmp_path), login)
    console = Console(width=200, record=True)
    console.print(table)
    shown = console.export_text()
    assert "http://airflow-apiserver:8080 login operator" in shown
    assert "hidden" not in shown
    assert not list(tmp_path.iterdir()), "no login of an embedded stack is made"
