from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files

import docs_site
from segue.settings import PROJECT_DIR


@pytest.fixture
def config() -> MkDocsConfig:
    config = MkDocsConfig()
    config.load_dict({"site_name": "Segue", "docs_dir": str(PROJECT_DIR / "docs")})
    config.validate()
    config.plugins._current_plugin = "docs_site"  # as while MkDocs calls a hook
    return config


@pytest.fixture
def files() -> Files:
    return Files([])


@pytest.fixture
def on_site(config, files):
    """Return the text of a page as the site shows it."""

    def convert(uri: str, text: str) -> str:
        return docs_site.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=uri)), config, files)

    return convert


@pytest.mark.parametrize(
    ("page", "link", "shown"),
    [
        ("README.md", "docs/corpus.md#days", "corpus.md#days"),
        ("README.md", "docs/images/demo.svg", "images/demo.svg"),
        ("corpus.md", "../SECURITY.md", "SECURITY.md"),
        ("corpus.md", "models.md", "models.md"),
        ("corpus.md", "#days", "#days"),
        ("corpus.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("README.md", "include/segue/settings.py", "reference/settings.md"),
        ("documents.md", "../include/segue/stack/memory.py", "source/include/segue/stack/memory.py.txt"),
    ],
)
def test_links_lead_to_places_of_the_site(on_site, page, link, shown):
    assert on_site(page, f"See [this]({link}).") == f"See [this]({shown})."


def test_a_file_outside_of_docs_is_copied_to_the_site(on_site, files):
    on_site("documents.md", "[a](../docker/Dockerfile) and [again](../docker/Dockerfile)")
    assert [file.src_uri for file in files] == ["source/docker/Dockerfile.txt"]
    assert files.get_file_from_path("source/docker/Dockerfile.txt").content_string.startswith("#")


def test_a_link_to_nothing_stays_so_that_mkdocs_reports_it(on_site, files):
    assert on_site("corpus.md", "[a](../no/such.py)") == "[a](../no/such.py)"
    assert on_site("corpus.md", "[a](../../../etc/passwd)") == "[a](../../../etc/passwd)"
    assert not len(files)


@pytest.mark.parametrize(
    "tag", ['<script src="https://cdn.example/a.js">', "<link href=//fonts.example/a.css rel=x>"]
)
def test_a_page_that_loads_from_the_internet_is_refused(config, tag):
    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))
    with pytest.raises(PluginError, match=r"a\.md loads"):
        docs_site.on_post_page(f"<html>{tag}", page, config)
    assert docs_site.on_post_page('<a href="https://example.org">', page, config)


def test_files_of_the_top_folder_that_are_pages_exist():
    assert all(Path(PROJECT_DIR / name).is_file() for name in docs_site.ROOT_PAGES)
