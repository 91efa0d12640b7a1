"""What axe-core finds in a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1200, "height": 1000}


def check(page: Page) -> None:
    """Fail if axe-core finds anything on a screen, on a phone, or in the dark."""
    for scheme, size in (("light", SCREEN), ("light", PHONE), ("dark", SCREEN)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # it is one of its literals
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="light")
