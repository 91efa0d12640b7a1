"""The docs name only what exists: links, headings, files, modules, settings, commands and their options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

import docs_reference
from segue.api import metrics, pipeline_metrics, retraining_metrics  # noqa: F401 - register their metrics
from segue.cli import app
from segue.settings import FILE_VARIABLE, PROJECT_DIR, Settings

PAGES = sorted([*(PROJECT_DIR / "docs").glob("*.md"), *PROJECT_DIR.glob("*.md")])
ROOMS = ("dags", "plugins", "spark_jobs", "include", "benchmarks", "scripts", "docs", "docker", "deploy", "tests")
SOURCES = sorted(
    path for room in ("dags", "plugins", "spark_jobs", "include") for path in (PROJECT_DIR / room).rglob("*.py")
)


def code(text: str) -> Iterator[str]:
    """Yield the code spans of a page, and the lines of its code blocks."""
    blocks = r"(?ms)^ *```.*?^ *```"
    for block in re.findall(blocks, text):
        yield from block.splitlines()[1:-1]
    text = re.sub(blocks, "", text)
    yield from re.findall(r"(?m)^ {4}\S.*$", text)
    for span in re.findall(r"`([^`]+)`", text):
        yield re.sub(r"\s+", " ", span)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and MkDocs make of the page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def files() -> list[str]:
    """List the paths of the project's files, relative to its root, each with a leading slash."""
    found = [path for room in ROOMS for path in (PROJECT_DIR / room).rglob("*") if path.is_file()]
    found += [path for path in PROJECT_DIR.iterdir() if path.is_file()]
    return ["/" + path.relative_to(PROJECT_DIR).as_posix() for path in found]


def is_there(name: str) -> bool:
    return any(path.endswith(f"/{name.lstrip('./')}") for path in files())


def module_is_there(name: str) -> bool:
    """Return whether `name` is a module, or something that a module defines."""
    module, _, attribute = name.rpartition(".")
    try:
        if find_spec(name):
            return True
    except ModuleNotFoundError:
        pass
    spec = find_spec(module)
    return bool(spec and spec.origin and re.search(rf"\b{attribute}\b", Path(spec.origin).read_text()))


def wrong_segue_commands(line: str) -> list[str]:
    """Return what is wrong with each call of the command `segue` in a line of code."""
    wrong = []
    for call in re.findall(r"(?:^|[ /])segue ([a-z][^`|;&#]*)", line):
        command = typer.main.get_command(app)
        words = call.split()
        while words and isinstance(command, TyperGroup):
            word = words.pop(0)
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            if word not in command.commands:
                wrong.append(f"`segue {call.strip()}`: there is no {word}")
                break
            command = command.commands[word]
        else:
            if command.name != "airflow":  # whose options are Airflow's
                known = {
                    option for parameter in command.params for option in parameter.opts + parameter.secondary_opts
                }
                asked = re.findall(r"(?<!\S)\[?(--?[a-z][a-z-]*)", " ".join(words))
                wrong += [f"`segue {call.strip()}`: no option {option}" for option in asked if option not in known]
    return wrong


def wrong_scripts(line: str) -> list[str]:
    """Return the options of a benchmark or Spark job in a line of code that its file does not mention."""
    found = re.search(r"\b((?:benchmarks|spark_jobs)/\w+\.py)(.*)", line)
    if not found:
        return []
    script, rest = found.groups()
    if not (PROJECT_DIR / script).is_file():
        return [f"no file {script}"]
    text = (PROJECT_DIR / script).read_text()
    options = re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest)
    parameters = [option.removeprefix("--").replace("-", "_") for option in options]
    return [
        f"{script} has no option {option}"
        for option, parameter in zip(options, parameters, strict=True)
        if option != "--help" and option not in text and not re.search(rf"\b{parameter}\b", text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        linked = page.parent / name if name else page
        if not linked.is_file() or (heading and heading not in anchors(linked)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    spans = " ".join(code(page.read_text()))
    names = re.findall(r"(?<![\w…*])[\w./-]+\.(?:py|sh|md|ipynb|yml)\b", spans)
    assert not [name for name in names if not is_there(name)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_settings_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    modules = re.findall(r"(?<![/\w.])segue(?:\.\w+)+", " ".join(code(text)).replace("segue.toml", ""))
    settings = {f"SEGUE_{name.upper()}" for name in Settings.model_fields} | {FILE_VARIABLE}
    assert not [name for name in modules if not module_is_there(name)]
    assert not set(re.findall(r"\bSEGUE_[A-Z_]+[A-Z]\b", text)) - settings


def test_the_site_shows_every_page_once() -> None:
    """The navigation of mkdocs.yml has each page of docs/, of the top folder, and of the reference."""
    shown = re.findall(r"(?m)^ +- [^#\n]*: (\S+\.md)$", (PROJECT_DIR / "mkdocs.yml").read_text())
    written = [page.name for page in PAGES] + list(docs_reference.PAGES)
    assert sorted(shown) == sorted(written)


def test_metrics_that_the_page_on_monitoring_names_exist() -> None:
    text = (PROJECT_DIR / "docs" / "monitoring.md").read_text()
    exposed = metrics.exposition().decode()
    named = {name for span in code(text) for name in re.findall(r"\bsegue_\w+", span)}
    assert named
    assert not {name for name in named if f"# TYPE {name} " not in exposed}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT_DIR / "Makefile").read_text()))
    wrong = []
    for line in code(page.read_text()):
        wrong += wrong_segue_commands(line) + wrong_scripts(line)
        wrong += [f"no target {name}" for name in re.findall(r"\bmake ([a-z-]+)", line) if name not in targets]
    assert not wrong


def test_commands_and_pages_that_messages_name_exist() -> None:
    """Messages and docstrings name existing commands and pages."""
    wrong = []
    for path in SOURCES:
        text = path.read_text()
        for span in re.findall(r"(?<!`)`((?:segue|make) [a-z][^`{}\n]*)`", text):
            wrong += [f"{path.name}: {problem}" for problem in wrong_segue_commands(span)]
        wrong += [
            f"{path.name}: {page}" for page in re.findall(r"\bdocs/\w[\w-]*\.md\b", text) if not is_there(page)
        ]
    assert not wrong


def test_pages_wrap_at_115_characters_but_for_tables_and_long_addresses() -> None:
    long = []
    for page in PAGES:
        for number, line in enumerate(page.read_text().splitlines(), start=1):
            if len(line) > 115 and not line.startswith("|") and " " in line[:115].strip():
                long.append(f"{page.name}:{number}")
    assert not long
