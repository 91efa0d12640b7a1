"""The pages of the site that are written from the code: settings, commands, errors, DAGs, schemas, HTTP API."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.cli import get_docs_for_click

from segue import errors
from segue.settings import PROJECT_DIR, Settings, read_settings

DAGS = ("corpus", "genre_model", "recommender", "incremental_retraining", "new_tracks", "listens", "playlists")
SERVANTS = ("watch", "maintenance")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table in Markdown.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequence of str

    Returns
    -------
    str
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def settings() -> str:
    """Return the page of all settings, in the groups of ``segue.settings``.

    Returns
    -------
    str
        Markdown.
    """
    lines = inspect.getsource(Settings).splitlines()
    groups: dict[str, list[list[str]]] = {}
    group = ""
    for line in lines:
        if heading := re.fullmatch(r" {4}# (.+)", line):
            group = heading[1]
        found = re.match(r" {4}(\w+): ", line)
        if found and found[1] in Settings.model_fields:
            name, field = found[1], Settings.model_fields[found[1]]
            meaning = (field.description or "").replace("<", "&lt;")  # <home> is no tag
            row = [f"`SEGUE_{name.upper()}`", _type(field.annotation), _default(field), meaning]
            groups.setdefault(group, []).append(row)
    parts = [
        "# Settings",
        "Every setting is an environment variable, or a line of `segue.toml` in the project's folder. There, its "
        "name has no prefix and is in lower case: `api_port = 8080`. The variable wins. `segue config` shows all "
        "values and where they come from, and `segue init --set NAME=VALUE` writes the file. Passwords belong in "
        "the environment.",
    ]
    for name, rows in groups.items():
        parts += [f"## {name}", table(["Variable", "Type", "Default", "Meaning"], rows)]
    return "\n\n".join(parts)


def _type(annotation: Any) -> str:
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_type(each) for each in get_args(annotation) if each is not type(None))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    names = {str: "text", int: "whole number", float: "number", Path: "path", SecretStr: "password"}
    return names.get(annotation, "URL")


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, Path):
        return f"`{field.default.relative_to(PROJECT_DIR)}` in the project"
    return "" if field.default in (None, "", PydanticUndefined) else f"`{field.default}`"


def commands() -> str:
    """Return the page of the command line, as typer writes it.

    Returns
    -------
    str
        Markdown.
    """
    from segue.cli import app

    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="segue")
    written = get_docs_for_click(obj=command, ctx=context, name="segue", title="Command line")
    return written.replace(str(Path.home()), "~")


def error_catalogue() -> str:
    """Return the page of the errors that Segue raises on purpose.

    Returns
    -------
    str
        Markdown.
    """
    rows = []
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, errors.SegueError) and error is not errors.SegueError:
            meaning = " ".join((error.__doc__ or "").split())
            rows.append([f"`{name}`", meaning, "yes" if error.retry_may_help else "no"])
    return "\n\n".join(
        [
            "# Errors",
            "Each message says what happened, where, and what to do. The command line prints it without a "
            "traceback and exits with 1. A task of a DAG is retried only if a retry may help.",
            table(["Error", "Meaning", "May a retry help?"], rows),
        ]
    )


def dags() -> str:
    """Return the page of the DAGs: their documentation, schedules, and the parameters of their forms.

    The files are parsed and not imported, because Airflow takes long to load.

    Returns
    -------
    str
        Markdown.
    """
    parts = ["# DAGs and their forms", "Airflow shows the same texts at each DAG and in its form (*Trigger*)."]
    for name in (*DAGS, *SERVANTS):
        tree = ast.parse((PROJECT_DIR / "dags" / f"{name}.py").read_text(encoding="utf-8"))
        parts += [f"## {name}", ast.get_docstring(tree) or "", *_form(tree)]
    return re.sub(r"\bdocs/([\w-]+\.md)\b", r"[\1](../\1)", "\n\n".join(parts))


def _form(tree: ast.Module) -> list[str]:
    """Return the table of a DAG's parameters; nothing if it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARAMS":
            entries = (
                zip(node.value.keys, node.value.values, strict=True) if isinstance(node.value, ast.Dict) else ()
            )
            rows = [_param(key, value) for key, value in entries if key and isinstance(value, ast.Call)]
            return [table(["Parameter", "Title", "Default", "Values", "Meaning"], rows)]
    return []


def _param(name: ast.expr, call: ast.Call) -> list[str]:
    said = {keyword.arg: keyword.value for keyword in call.keywords}
    default = ast.unparse(call.args[0])
    setting = re.fullmatch(r"get_settings\(\)\.(\w+)", default)
    shown = (
        f"`SEGUE_{setting[1].upper()}`"
        if setting
        else "empty"
        if default == "None"
        else f"`{ast.literal_eval(default)}`"
    )
    values = ast.literal_eval(said.get("enum") or said.get("format") or said["type"])
    listed = [values] if isinstance(values, str) else [value for value in values if value != "null"]
    title, description = _text(said["title"]), _text(said["description"])
    return [f"`{ast.literal_eval(name)}`", title, shown, ", ".join(listed), description]


def _text(node: ast.expr) -> str:
    """Return a text of a form. The sentences that several forms share are constants of the plugins."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return (
        _shared(ast.unparse(node.value)) if isinstance(node, ast.FormattedValue) else str(ast.literal_eval(node))
    )


def _shared(name: str) -> str:
    source = (PROJECT_DIR / "plugins" / "segue_params.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return str(ast.literal_eval(node.value))
    raise ValueError(f"plugins/segue_params.py has no {name}, which a form of dags/ shows.")


def schemas() -> str:
    """Return the page of the lake's tables, with their columns and types.

    Returns
    -------
    str
        Markdown.
    """
    from segue.corpus import schema
    from segue.listens import lake_table

    parts = [
        "# Schemas",
        "The tables of the lake are Delta tables in the folder or bucket of `SEGUE_LAKE`. Documents of `tracks` "
        "in MongoDB are described [in the page on the corpus](../corpus.md), messages in Kafka by "
        "[listen.schema.json](../listen.schema.json), and answers of the API by its own documentation "
        "([HTTP API](api.md)). "
        f"The version of the corpus' tables is {schema.SCHEMA_VERSION}.",
    ]
    notes = _notes(Path(schema.__file__))
    for name, columns in {**schema.TABLES, "listens": lake_table.SCHEMA}.items():
        rows = [[f"`{column}`", kind] for column, kind in re.findall(r"(\w+) ([\w<>]+)", columns)]
        parts += [f"## {name}", notes.get(name.upper(), ""), table(["Column", "Type"], rows)]
    return "\n\n".join(filter(None, parts))


def _notes(module: Path) -> dict[str, str]:
    """Return the text below each constant of a module, by the constant's name."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    return {
        ast.unparse(node.target): " ".join(text.value.value.replace("``", "`").split())
        for node, text in pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def api() -> str:
    """Return the page of the HTTP API's requests.

    Returns
    -------
    str
        Markdown.
    """
    from segue.api.app import create_app

    described = create_app(read_settings()).openapi()
    groups: dict[str, list[list[str]]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            words = operation["summary"], " ".join(operation.get("description", "").split())
            groups.setdefault(operation["tags"][0], []).append([f"`{method.upper()} {path}`", *words])
    parts = [
        "# HTTP API",
        "A running API shows the same at `http://127.0.0.1:18100/docs`, with parameters and bodies. Requests of "
        "Last.fm's protocols are on [a page of their own](../audioscrobbler.md). The JSON Schema of a listening "
        "event in Kafka is [listen.schema.json](../listen.schema.json).",
    ]
    for tag, rows in groups.items():
        parts += [f"## {tag.capitalize()}", table(["Request", "Summary", "Answer"], rows)]
    return "\n\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings,
    "reference/commands.md": commands,
    "reference/dags.md": dags,
    "reference/api.md": api,
    "reference/errors.md": error_catalogue,
    "reference/schemas.md": schemas,
}
"""Function that writes each page, by its place on the site."""

WRITTEN_FROM = {
    "include/segue/settings.py": "reference/settings.md",
    "include/segue/errors.py": "reference/errors.md",
    "include/segue/cli.py": "reference/commands.md",
    "include/segue/api/app.py": "reference/api.md",
    "include/segue/corpus/schema.py": "reference/schemas.md",
}
"""Page that is written from a file. On the site, links to the file lead there."""
