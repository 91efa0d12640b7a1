from __future__ import annotations

from typing import Any

import pytest

from segue.api.app import create_app
from segue.api.base_urls import AnyBaseUrl
from segue.settings import Settings


async def nowhere(*_: Any) -> None:
    """Answer nothing."""


PATHS = (
    "/1/submit-listens",
    "/1/validate-token",
    "/1/user/{user_name}/listens",
    "/1/latest-import",
    "/1/playing-now/delete",
    "/1/{user_name}/pins",
    "/v1/users/{user_name}/recommendations",
    "/health",
)
ANY = AnyBaseUrl(nowhere, PATHS)

# What a player adds to the base URL stands after the bar.
PREFIXES = (
    "|/1/", "/|/1/", "/1|/1/", "/1/|/1/", "//1//|1/", "/1/|1/",
    "|/", "/|", "/|/", "/1|/", "/1/|", "/1/|/", "//1//|",
    "/1/submit-listens|/1/", "/1/submit-listens/|/1/", "/1/submit-listens|/", "/submit-listens|/1/",
)  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "endpoint", ["submit-listens", "validate-token", "user/anna/listens", "latest-import", "playing-now/delete"]
)
@pytest.mark.parametrize("end", ["", "/", "//"])
def test_every_base_url_reaches_every_endpoint(prefix: str, endpoint: str, end: str) -> None:
    assert ANY.canonical("POST", prefix.replace("|", "") + endpoint + end) == f"/1/{endpoint}"


@pytest.mark.parametrize("path", ["/", "//", "/1", "/1/", "/1/1/", "/submit-listens/"])
def test_a_post_to_a_base_url_submits(path: str) -> None:
    assert ANY.canonical("POST", path) == "/1/submit-listens"


@pytest.mark.parametrize(
    "path", ["/", "/2.0/", "/health", "/u/anna", "/v1/users/anna/recommendations", "/docs", "/favicon.ico"]
)
def test_other_paths_stay(path: str) -> None:
    assert ANY.canonical("GET", path) == path


@pytest.mark.parametrize("path", ["/1", "//1/", "/1/1/", "//"])
def test_a_base_url_that_is_read_is_the_front_page_where_version_1_2_shakes_hands(path: str) -> None:
    assert ANY.canonical("GET", path) == "/"


@pytest.mark.parametrize("path", ["/2.0", "/2.0/", "/1/2.0/", "//2.0/2.0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_lastfms_web_service_is_found_by_any_base_url_too(method: str, path: str) -> None:
    assert ANY.canonical(method, path) == "/2.0/"


def test_double_slashes_are_one_everywhere() -> None:
    assert ANY.canonical("GET", "//v1//users/anna/recommendations") == "/v1/users/anna/recommendations"
    assert ANY.canonical("POST", "//2.0/") == "/2.0/"


def test_an_endpoint_that_begins_with_the_user_needs_the_version() -> None:
    assert ANY.canonical("GET", "//1/anna/pins/") == "/1/anna/pins"
    assert ANY.canonical("GET", "/anna/pins") == "/anna/pins"


def test_a_user_who_is_called_1_is_found() -> None:
    assert ANY.canonical("GET", "/1/user/1/listens") == "/1/user/1/listens"


def test_all_endpoints_of_the_api_are_known() -> None:
    app = create_app(Settings())
    [added] = [each for each in app.user_middleware if each.cls is AnyBaseUrl]
    heads = AnyBaseUrl(nowhere, **added.kwargs)._heads
    assert {"submit-listens", "validate-token", "user", "feedback", "stats", "metadata", "cf", "pin"} <= heads
