"""Hooks of MkDocs: pages of the site that are not in docs/, and links that lead out of docs/.

GitHub and the site show the same Markdown. On the site, the README is the home page, and the reference is written
from the code. A link to another file of the project leads to a copy of it, under ``source/``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import docs_reference

PROJECT_DIR = Path(__file__).resolve().parents[1]
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the project's top folder that are part of the site."""

LINK = re.compile(r"(?<=\]\()(?!#|[a-z]+:)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the top folder, and the reference.

    Parameters
    ----------
    files : Files
        The files of docs/.
    config : MkDocsConfig

    Returns
    -------
    Files
        The same object.
    """
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(PROJECT_DIR / name)))
    for name, write in docs_reference.PAGES.items():
        files.append(File.generated(config, name, content=write()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of a page lead to places of the site.

    Parameters
    ----------
    markdown : str
        Text of the page.
    page : Page
    config : MkDocsConfig
    files : Files
        Gets the files outside of docs/ that the page links to.

    Returns
    -------
    str
        The text with other links. A link to a file that does not exist stays as it is, so that MkDocs reports it.
    """
    uri = page.file.src_uri
    if uri in docs_reference.PAGES:
        return markdown
    folder = PROJECT_DIR if uri in ROOT_PAGES else PROJECT_DIR / "docs" / PurePosixPath(uri).parent

    def on_site(link: re.Match[str]) -> str:
        linked = Path(os.path.normpath(folder / link[0]))
        if not linked.is_file() or not linked.is_relative_to(PROJECT_DIR):
            return link[0]
        target = place(linked.relative_to(PROJECT_DIR))
        if target not in files.src_uris:
            files.append(File.generated(config, target, abs_src_path=str(linked)))
        return os.path.relpath(target, PurePosixPath(uri).parent)

    return LINK.sub(on_site, markdown)


def place(path: Path) -> str:
    """Return where a file of the project is on the site.

    Parameters
    ----------
    path : Path
        Relative to the project.

    Returns
    -------
    str
        Relative to the site's root. Source files end in ``.txt``, so that browsers show them.
    """
    name = path.as_posix()
    if name in ROOT_PAGES:
        return name
    if path.parts[0] == "docs":
        return path.relative_to("docs").as_posix()
    return docs_reference.WRITTEN_FROM.get(name, f"source/{name}.txt")
