"""Hooks of MkDocs: pages of the site that are not in docs/, and links that lead out of docs/.

GitHub and the site show the same Markdown. On the site, the README is the home page, and the reference is written
from the code. A link to another file of the project leads to a copy of it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import docs_reference

PROJECT_DIR = Path(__file__).resolve().parents[1]
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the project's top folder that are part of the site."""

COPIES = "source/"
"""Folder of the site with the other files of the project that pages link to."""

LOADED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")
"""Address from which a page loads something, as opposed to a link that a reader may follow."""

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
        if target.startswith(COPIES) and target not in files.src_uris:
            files.append(File.generated(config, target, abs_src_path=str(linked)))
        return os.path.relpath(target, PurePosixPath(uri).parent)

    return LINK.sub(on_site, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - as MkDocs calls it
    """Refuse a page that loads something from the Internet.

    Parameters
    ----------
    output : str
        HTML of the page.
    page : Page
    config : MkDocsConfig

    Returns
    -------
    str
        The same text.

    Raises
    ------
    PluginError
        If the page is not complete without the Internet.
    """
    if loaded := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads {loaded[1]}. Put a copy into docs/ instead.")
    return output


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
    return docs_reference.WRITTEN_FROM.get(name, f"{COPIES}{name}.txt")
