from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import docs_reference
from segue import errors
from segue.corpus import schema
from segue.errors import SegueError
from segue.settings import PROJECT_DIR, Settings

DAG_FILES = sorted((PROJECT_DIR / "dags").glob("*.py"))


def rows(page: str) -> list[list[str]]:
    """Return the cells of all tables."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]


def test_settings_are_listed_once_under_a_heading():
    page = docs_reference.settings()
    listed = [row[0].strip("`") for row in rows(page) if row[0].startswith("`SEGUE_")]
    assert listed == [f"SEGUE_{name.upper()}" for name in Settings.model_fields]
    assert page.index("\n## ") < page.index(f"`{listed[0]}`")


def test_a_setting_has_its_default_and_its_meaning_with_angle_brackets():
    page = docs_reference.settings()
    assert "| `SEGUE_API_PORT` | whole number | `18100` | Port of the listens API. |" in page
    assert "| `SEGUE_HOME` | path | `.segue` in the project |" in page
    assert "&lt;home>/&lt;corpus>" in page


def test_errors_are_listed_with_whether_a_retry_may_help():
    said = {row[0].strip("`"): row[-1] for row in rows(docs_reference.error_catalogue())}
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SegueError)]
    for kind in set(classes) - {SegueError}:
        assert said[kind.__name__] == ("yes" if kind.retry_may_help else "no")


def test_every_dag_has_its_documentation():
    headings = re.findall(r"(?m)^## (\w+)$", docs_reference.dags())
    assert sorted(headings) == [path.stem for path in DAG_FILES]


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_every_parameter_of_a_form_is_listed(path: Path):
    page = docs_reference.dags().partition(f"\n## {path.stem}\n")[2].partition("\n## ")[0]
    listed = [row[0].strip("`") for row in rows(page) if re.fullmatch(r"`\w+`", row[0])]
    assigned = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
    params = [node.value for node in assigned if ast.unparse(node.targets[0]) == "PARAMS"]
    wanted = [ast.literal_eval(key) for value in params for key in value.keys]
    assert [name for name in listed if name in wanted] == wanted


def test_sentences_that_forms_share_are_written_out():
    assert "In a backfill, leave it empty: each run has a day of its own." in docs_reference.dags()


def test_every_column_of_every_table_has_its_type():
    page = docs_reference.schemas()
    parts = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    assert set(parts) == {*schema.TABLES, "listens"}
    for name, columns in schema.TABLES.items():
        listed = [row[0].strip("`") for row in rows(parts[name])[2:]]
        assert listed == schema.columns(columns), name
    assert ["`features`", "array<float>"] in rows(parts["tracks"])
    assert "`flags` are reasons to distrust a track, such as `duplicate:sound`" in parts["tracks"]
    assert ["`listened_on`", "date"] in rows(parts["listens"])
