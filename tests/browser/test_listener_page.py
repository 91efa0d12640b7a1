"""What a listener does on their page: give the token, watch it change, ask what sounds alike, play."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect
from pymongo import MongoClient
from pymongo.database import Database
from tests.support.accessibility import SCREEN, check
from tests.support.api_server import serving
from tests.support.live_corpus import Worker, play, promote, publish, settings_of

from segue.api.accounts import Accounts
from segue.api.sessions import page_address
from segue.connections.kafka import Config
from segue.settings import Settings

pytestmark = pytest.mark.browser

NAME = "anna b."
SECONDS, RATE_HZ = 1, 8_000


@pytest.fixture
def here(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Settings:
    assert kafka
    assert mongo is not None
    return settings_of(settings, "page")


@pytest.fixture
def documents(here: Settings) -> Iterator[Database[dict[str, Any]]]:
    """A corpus whose tracks all have the same sound, but the even ones have no file."""
    here.music_dir.mkdir(parents=True)
    with wave.open(str(here.music_dir / "tone.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        tone = np.sin(np.arange(SECONDS * RATE_HZ) * 0.3) * 10_000
        file.writeframes(tone.astype("<i2").tobytes())
    with MongoClient[dict[str, Any]](here.mongo, tz_aware=True) as client:
        database = client[here.mongo_database]
        publish(database)
        database["tracks"].update_many({"_id": {"$regex": "[13579]$"}}, {"$set": {"path": "tone.wav"}})
        yield database


@pytest.fixture
def api(here: Settings, documents: Database[dict[str, Any]]) -> Iterator[str]:
    assert documents is not None
    promote(here, seed=0)
    worker = Worker(here)
    with serving(here) as url:
        yield url
    assert worker.stop() == 0


def test_a_listener_sees_reasons_that_change_with_each_listen_and_hears_a_preview(
    api: str,
    here: Settings,
    documents: Database[dict[str, Any]],
    pytestconfig: pytest.Config,
    page: Page,  # last, so that it is closed first: its stream of events keeps the API from ending
) -> None:
    token = Accounts(documents).add(NAME)
    refused = {"listened_at": 0, "track_metadata": {"artist_name": "Artist 1", "track_name": "No clock"}}
    body = {"listen_type": "single", "payload": [refused]}
    httpx.post(f"{api}/1/submit-listens", json=body, headers={"Authorization": f"Token {token}"})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{api}/u/{NAME}")
    expect(page.get_by_role("heading", name=f"Music for {NAME}")).to_be_visible()
    ask, status, rows = page.get_by_label("Your token"), page.get_by_role("status"), page.locator("#list > li")
    ask.fill("not a token")
    sign_in = page.get_by_role("button", name="Sign in")
    sign_in.click()
    expect(status).to_have_text("Invalid authorization token.")
    ask.fill(token)
    sign_in.click()
    expect(ask).to_be_hidden()
    expect(rows).to_have_count(25)
    expect(rows.first).to_contain_text("Popular with other listeners")
    expect(page.get_by_role("heading", name="Recently refused listens")).to_be_visible()
    expect(page.locator("#refusals")).to_contain_text("the clock of the player is not set")
    expect(page.locator("#refusals")).to_contain_text("No clock")

    play(api, token, 3)
    expect(rows.first).to_contain_text("Because you played “Title 3”")
    play(api, token, 5, ago_s=30)
    expect(rows.first).to_contain_text("Title 5")
    expect(page.get_by_text("Title 3 by Artist 3", exact=True)).to_have_count(0)

    rows.first.get_by_role("button", name="sounds like…").click()
    expect(rows.first).to_contain_text("Sounds alike: Title")
    listen = rows.first.get_by_role("button", name="Play or pause")
    listen.click()
    expect(listen).to_have_text("❚❚")
    expect(listen).to_have_text("▶")  # it has ended
    even = rows.filter(has_text=re.compile(r"Title \d*[02468] by")).first.get_by_role(
        "button", name="Play or pause"
    )
    even.click()
    expect(even).to_have_text("no file")
    assert errors == []
    page.reload()
    expect(rows).to_have_count(25)
    page.get_by_role("button", name="Sign out").click()
    expect(ask).to_be_visible()
    expect(rows).to_have_count(0)
    page.goto("about:blank")  # otherwise only the part after # changes
    page.goto(page_address(documents, here, NAME))
    expect(rows).to_have_count(25)
    assert page.url == f"{api}/u/{quote(NAME)}", "the code is gone from the address"
    page.set_viewport_size(SCREEN)
    page.evaluate("scrollTo(0, 0)")
    if folder := pytestconfig.getoption("screenshots"):
        page.screenshot(path=f"{folder}/listener.png")
    check(page)
