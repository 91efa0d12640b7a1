"""Unit tests see the settings' defaults, whatever the shell or a stack of the same test process has set."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from segue.settings import get_settings


@pytest.fixture(autouse=True)
def default_settings() -> Iterator[None]:
    """Take Segue's variables out of the environment of each test, and read no settings file of a developer."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SEGUE_")]:
            patch.delenv(name)
        patch.setenv("SEGUE_CONFIG", "")
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()
