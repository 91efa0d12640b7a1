from __future__ import annotations

import kinds


def test_the_page_of_kinds_shows_what_segue_does() -> None:
    assert kinds.rendered() in kinds.PAGE.read_text(encoding="utf-8")
