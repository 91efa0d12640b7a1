"""The whole stack starts once for this folder, and stops after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from segue.stack import lifecycle


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop Airflow and what uses the stores after the last test, since they take CPU time while they wait.

    Kafka and the document server stay for other tests.
    """
    settings = item.funcargs["settings"]
    yield
    if nextitem is None or nextitem.path.parent != item.path.parent:
        for service in reversed(lifecycle.services(settings, ("airflow", "api", "live", "supervisor"))):
            service.stop()
