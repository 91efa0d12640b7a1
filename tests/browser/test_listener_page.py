"""What a listener does on their page: sign in, play, judge, follow what sounds alike, look at the map and back."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import ConsoleMessage, Page, expect
from pymongo import MongoClient
from pymongo.database import Database
from tests.support import page_corpus
from tests.support.accessibility import SCREEN, check
from tests.support.api_server import eventually, serving
from tests.support.live_corpus import Worker, settings_of

from segue.api.accounts import Accounts
from segue.api.sessions import page_address
from segue.connections.kafka import Config
from segue.listens.feedback import Feedback, FeedbackStore
from segue.listens.plays import recording_msid
from segue.settings import Settings
from segue.tracks import sound_map
from segue.tracks.sound_map import SoundMap

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
LARGE = 106_574

KEYS = """
window.keys = {};
const original = MediaSession.prototype.setActionHandler;
MediaSession.prototype.setActionHandler = function (name, act) {
  window.keys[name] = act;
  original.call(this, name, act);
};
"""
"""Keeps what the page does for each media key, because a headless browser has no such keys."""

MARK_IS_IN_THE_MIDDLE = """() => {
  const shown = ['.canvas', '.mark'].map((name) => document.querySelector(name)?.getBoundingClientRect());
  if (!shown[1]) return false;
  const [box, mark] = shown;
  const away = [box.x - mark.x + (box.width - mark.width) / 2, box.y - mark.y + (box.height - mark.height) / 2];
  return Math.hypot(...away) < 3;
}"""


@pytest.fixture(scope="module")
def here(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Settings:
    assert kafka
    assert mongo is not None
    return settings_of(settings, "page")


@pytest.fixture(scope="module")
def documents(here: Settings) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](here.mongo, tz_aware=True) as client:
        database = client[here.mongo_database]
        page_corpus.publish(database, here.music_dir)
        yield database


@pytest.fixture(scope="module")
def api(here: Settings, documents: Database[dict[str, Any]]) -> Iterator[str]:
    assert documents is not None
    page_corpus.promote(here)
    worker = Worker(here)
    with serving(here) as url:
        yield url
    assert worker.stop() == 0


@pytest.fixture
def empty(settings: Settings, kafka: Config, mongo: Database[dict[str, Any]]) -> Settings:
    """A stack in which nothing was published or trained."""
    assert kafka
    assert mongo is not None
    return settings_of(settings, "empty-page")


@pytest.fixture
def empty_api(empty: Settings) -> Iterator[str]:
    with serving(empty, tracks=False) as url:
        yield url


@pytest.fixture
def errors(page: Page) -> list[str]:
    """What the page has written to the console as errors."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            found.append(f"{message.text} {message.location}")

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.add_init_script(KEYS)
    return found


@pytest.fixture
def listener(documents: Database[dict[str, Any]]) -> tuple[str, str]:
    """Name and token."""
    name = f"listener {time.monotonic_ns()}"
    return name, Accounts(documents).add(name)


@pytest.fixture
def signed_in(
    api: str,
    here: Settings,
    documents: Database[dict[str, Any]],
    listener: tuple[str, str],
    errors: list[str],
    page: Page,
) -> Iterator[str]:
    """Open the page of a listener with a history by the one-time link; return the listener's name."""
    name, token = listener
    sent = httpx.post(
        f"{api}/1/submit-listens",
        json={"listen_type": "import", "payload": page_corpus.listens()},
        headers={"Authorization": f"Token {token}"},
    )
    assert sent.status_code == 200
    stored = {"_id": name, "items.0.because.0": {"$exists": True}}
    eventually(lambda: documents["recommendations"].find_one(stored))
    page_corpus.make_playlists(documents)
    page.goto(page_address(documents, here, name))
    expect(cards(page)).to_have_count(25)
    yield name
    page.goto("about:blank")  # its stream of events would keep the API from ending
    assert errors == []


def cards(page: Page) -> Any:
    return page.locator(".cards > li")


def title_of(page: Page, number: int) -> str:
    return cards(page).nth(number).locator(".title").inner_text()


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=view, exact=True).click()


def test_a_stranger_signs_in_with_the_token_and_sees_only_their_own_page(
    api: str, documents: Database[dict[str, Any]], errors: list[str], page: Page
) -> None:
    name = f"anna b. {time.monotonic_ns()}"
    token = Accounts(documents).add(name)
    page.goto(f"{api}/u/{name}")
    expect(page.get_by_role("heading", name=f"Music for {name}")).to_be_visible()
    assert errors == [], "to be signed out is no error"
    check(page)
    ask, sign_in = page.get_by_label("Your token"), page.get_by_role("button", name="Sign in")
    ask.fill("not a token")
    sign_in.click()
    expect(page.get_by_role("status")).to_have_text("Invalid authorization token.")
    assert errors == [], "a wrong token is no error of the page"
    ask.fill(token)
    sign_in.click()
    expect(cards(page)).to_have_count(25)
    expect(cards(page).first).to_contain_text("Many listeners play it")
    page.goto(api)
    expect(cards(page)).to_have_count(25)
    assert page.url == f"{api}/u/{quote(name)}", "the front page leads to the listener's own"
    page.goto(f"{api}/u/somebody")
    expect(page.get_by_text(f"You are signed in as {name}. Everybody sees only their own page.")).to_be_visible()
    page.get_by_role("link", name="Go to your page").click()
    expect(cards(page)).to_have_count(25)
    go(page, "You")
    expect(page.get_by_text("You have listened to nothing in this period.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(ask).to_be_visible()
    expect(cards(page)).to_have_count(0)
    assert errors == []


@pytest.mark.usefixtures("empty_api")
def test_a_library_without_tracks_is_shown_without_errors(empty: Settings, errors: list[str], page: Page) -> None:
    with MongoClient[dict[str, Any]](empty.mongo) as client:
        database = client[empty.mongo_database]
        token = Accounts(database).add("anna")
        page.goto(page_address(database, empty, "anna").replace("code=", "code=not"))
        expect(page.get_by_role("status")).to_contain_text("This link was used before")
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    shown = {
        "For you": "Nothing can be recommended: no recommender has been trained yet",
        "Playlists": "Segue makes playlists every day for listeners who have played something.",
        "Map": "There is no map yet.",
        "You": "You have listened to nothing in this period.",
    }
    for view, said in shown.items():
        go(page, view)
        expect(page.get_by_role("main")).to_contain_text(said)
        check(page)
    page.wait_for_load_state("load")
    page.goto("about:blank")
    assert errors == []


def test_what_is_loved_hated_played_and_skipped_counts_at_once(
    documents: Database[dict[str, Any]], page: Page, signed_in: str
) -> None:
    assert "code" not in page.url, "the code is gone from the address"
    reasons = cards(page).locator(".reason")
    expect(reasons.filter(has_text="Because you play").first).to_be_visible()
    artist = reasons.filter(has_text="Because you play").first.inner_text().removeprefix("Because you play ")
    hated = title_of(page, 3), cards(page).nth(3).locator(".artist").inner_text()
    cards(page).nth(3).get_by_role("button", name=f"Hate {hated[0]}").click()
    expect(page.get_by_role("status")).to_contain_text(f"You will not see again: {hated[0]} by {hated[1]}.")
    expect(cards(page)).to_have_count(24)
    kept = documents["feedback"]
    assert kept.find_one({"user_name": signed_in, "score": -1})

    first = cards(page).nth(0)
    first.get_by_role("button", name="Love").click()
    expect(first.get_by_role("button", name="Love")).to_have_attribute("aria-pressed", "true")
    loved = {"user_name": signed_in, "score": 1, "artist_name": first.locator(".artist").inner_text()}
    eventually(lambda: kept.find_one(loved))
    love_an_artist(documents, signed_in, artist)
    page.reload()
    expect(reasons.filter(has_text=f"Because you love {artist}").first).to_be_visible()
    expect(cards(page)).to_have_count(24)

    played = title_of(page, 0)
    cards(page).nth(0).get_by_role("button", name="Play").click()
    player = page.get_by_role("contentinfo", name="Player")
    expect(player.locator(".title")).to_have_text(played)
    listened = {"user_name": signed_in, "skipped": True}
    page.wait_for_function("() => document.querySelector('footer input[type=range]').valueAsNumber >= 1")
    player.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("status")).to_contain_text(f"{played} by")
    expect(player.locator(".title")).not_to_have_text(played)
    [skip] = eventually(lambda: list(documents["listens"].find(listened)))
    assert played in skip["event"]
    second = player.locator(".title").inner_text()

    def counted() -> Any:
        found = documents["listens"].find({"user_name": signed_in, "event": {"$regex": '"media_player":"Segue"'}})
        return [each for each in found if second in each["event"] and not each.get("skipped")]

    eventually(counted)  # more than half of it was played


def love_an_artist(documents: Database[dict[str, Any]], user: str, artist: str) -> None:
    FeedbackStore(documents).put(
        Feedback(user_name=user, score=1, artist_name=artist, recording_msid=recording_msid(artist, "Any", None))
    )


def test_the_media_keys_and_the_queue_do_what_the_buttons_do(page: Page, signed_in: str) -> None:
    assert signed_in
    page.get_by_role("button", name="Play all").click()
    titles = [title_of(page, i) for i in range(3)]
    player = page.get_by_role("contentinfo", name="Player")
    expect(player.locator(".title")).to_have_text(titles[0])
    page.wait_for_function("() => navigator.mediaSession.playbackState === 'playing'")
    page.evaluate("keys.nexttrack()")
    expect(player.locator(".title")).to_have_text(titles[1])
    assert page.evaluate("navigator.mediaSession.metadata.title") == titles[1]
    page.evaluate("keys.pause()")
    expect(player.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.evaluate("keys.previoustrack()")
    expect(player.locator(".title")).to_have_text(titles[0])
    page.evaluate("keys.pause()")
    page.evaluate("keys.seekto({seekTime: 4})")
    assert page.evaluate("document.querySelector('footer input[type=range]').value") == "4"

    player.get_by_role("button", name="Queue").click()
    queue = page.get_by_role("dialog", name="Queue")
    expect(queue.get_by_role("listitem")).to_have_count(25)
    queue.get_by_role("button", name=f"Remove {titles[1]}").first.click()
    expect(queue.get_by_role("listitem")).to_have_count(24)
    check(page)
    page.keyboard.press("Escape")
    expect(queue).to_be_hidden()
    expect(player.get_by_role("button", name="Queue")).to_be_focused()
    page.evaluate("keys.nexttrack()")
    expect(player.locator(".title")).to_have_text(titles[2])


def test_any_track_leads_to_what_is_similar_to_a_radio_and_to_a_path(page: Page, signed_in: str) -> None:
    assert signed_in
    first, last = title_of(page, 0), title_of(page, 8)
    cards(page).nth(0).locator(".title").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading", name=first)).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(8)
    check(page)
    dialog.get_by_role("button", name="Path from here").click()
    expect(page.get_by_role("status")).to_contain_text(f"The path begins at {first}")
    cards(page).nth(8).get_by_role("button", name="More about").click()
    page.get_by_role("button", name=f"Path from “{first}” to here").click()
    expect(page.get_by_role("heading", name=f"From {first} to {last}")).to_be_visible()
    way = page.locator(".rows > li .title")
    expect(way.first).to_have_text(first)
    expect(way.last).to_have_text(last)

    way.nth(1).click()
    dialog.get_by_role("button", name="Radio").click()
    expect(page.get_by_role("heading", name="Radio: ")).to_be_visible()
    expect(page.locator(".rows > li")).to_have_count(25)
    with page.expect_download() as file:
        page.get_by_role("link", name="As a file for players").click()
    assert file.value.suggested_filename == "radio.m3u8"
    page.get_by_role("button", name="All playlists").click()
    check(page)
    page.get_by_role("button", name="Jazz").click()
    expect(page.get_by_role("heading", name="Jazz, 60 minutes")).to_be_visible()
    page.get_by_role("button", name="All playlists").click()
    page.get_by_role("button", name="Daily jams").click()
    expect(page.locator(".rows > li").first).to_be_visible()
    check(page)


def test_a_mood_makes_a_playlist_of_so_many_minutes(
    api: str, here: Settings, documents: Database[dict[str, Any]], errors: list[str], page: Page
) -> None:
    assert api
    name = f"anna {time.monotonic_ns()}"
    Accounts(documents).add(name)
    page.goto(page_address(documents, here, name))
    go(page, "Playlists")
    expect(page.get_by_role("heading", name="A mood")).to_be_visible()
    page.locator("select").nth(1).select_option("30")
    page.get_by_role("button", name="Calm").click()
    expect(page.get_by_role("heading", name="Calm, 30 minutes")).to_be_visible()
    expect(page.locator(".rows > li .reason").first).to_contain_text("LUFS")
    check(page)
    page.goto("about:blank")
    assert errors == []


def test_covers_come_from_the_tags_and_other_tracks_have_tiles(page: Page, signed_in: str) -> None:
    assert signed_in
    page.evaluate("location.hash = 'playlists'")
    page.get_by_role("button", name="Jazz").click()
    rows = page.locator(".rows > li")
    expect(rows.first).to_be_visible()
    for row in rows.all()[:12]:
        row.scroll_into_view_if_needed()
        artist = row.locator(".artist").inner_text()
        if page_corpus.WITH_COVER[page_corpus.ARTIST.index(artist)]:
            expect(row.locator("img")).to_have_js_property("naturalWidth", 240)
        else:
            expect(row.locator("img")).to_have_count(0)
            initials = "".join(word[0] for word in artist.split())
            expect(row.locator(".artwork")).to_have_text(initials)


def test_the_page_shows_what_was_listened_to_and_what_was_refused(
    api: str, listener: tuple[str, str], page: Page, signed_in: str
) -> None:
    assert signed_in == listener[0]
    refused = {"listened_at": 0, "track_metadata": {"artist_name": "Artist 1", "track_name": "No clock"}}
    body = {"listen_type": "single", "payload": [refused]}
    httpx.post(f"{api}/1/submit-listens", json=body, headers={"Authorization": f"Token {listener[1]}"})
    go(page, "You")
    page.get_by_label("Period").select_option("all_time")
    genres = page.locator(".most").first
    expect(genres.get_by_role("listitem").first).to_contain_text("Jazz")
    expect(page.get_by_role("heading", name="Artists")).to_be_visible()
    total = sum(int(text) for text in genres.locator(".count").all_inner_texts())
    assert total == len(page_corpus.listens())
    expect(page.locator(".days li")).not_to_have_count(0)
    expect(page.locator(".refusals")).to_contain_text("the clock of the player is not set")
    expect(page.locator(".refusals")).to_contain_text("No clock")
    check(page)


def test_nothing_is_wider_than_a_small_phone_and_everything_is_reached_by_keyboard(
    page: Page, signed_in: str
) -> None:
    assert signed_in
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    for view in ("For you", "Playlists", "Map", "You"):
        go(page, view)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"], view
    go(page, "For you")
    expect(cards(page)).to_have_count(25)
    page.get_by_role("link", name="For you").focus()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", reached[-1]
    first = title_of(page, 0)
    assert reached[:4] == ["Playlists", "Map", "You", "Play all"]
    assert reached[4].startswith(f"Play {first}")
    assert reached[5:] == [first, f"Love {first}", f"Hate {first}", f"More about {first}"]
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]").get_by_role("heading", name=first)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_the_map_is_moved_and_chosen_from_by_pointer_and_by_keyboard(page: Page, signed_in: str) -> None:
    assert signed_in
    first = title_of(page, 0)
    cards(page).nth(0).locator(".title").click()
    page.get_by_role("button", name="Show on the map").click()
    canvas, dialog = page.get_by_role("application", name="Map of the library"), page.locator("dialog[open]")
    page.wait_for_function(MARK_IS_IN_THE_MIDDLE)
    canvas.click()
    expect(dialog.get_by_role("heading", name=first)).to_be_visible()
    page.keyboard.press("Escape")
    canvas.focus()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("heading", name=first)).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("-")
    page.keyboard.press("0")
    page.get_by_role("button", name="Soul").click()
    expect(page.get_by_role("button", name="Soul")).to_have_attribute("aria-pressed", "true")
    check(page)


def colours_of(page: Page) -> set[Any]:
    """The colours of the pixels of the map."""
    picture = Image.open(io.BytesIO(page.locator(".canvas").screenshot())).convert("RGB")
    return {colour for _, colour in picture.getcolors(picture.width * picture.height) or ()}


def test_a_map_of_a_whole_archive_is_drawn(
    api: str, documents: Database[dict[str, Any]], page: Page, signed_in: str
) -> None:
    assert signed_in
    before = sound_map.read(documents)
    assert before is not None
    random = np.random.default_rng(0)
    places = random.uniform(-1, 1, (LARGE, 2)).astype(np.float32)
    ids = [*page_corpus.IDS, *(f"x{i}" for i in range(LARGE - page_corpus.TRACKS))]
    genres = random.integers(0, 16, LARGE).astype(np.uint8)
    sound_map.store(documents, SoundMap(ids, places, genres, [f"Genre {i}" for i in range(16)]))
    try:
        page.goto(f"{api}/u/{quote(signed_in)}#map")
        expect(page.get_by_text("106,574 tracks.")).to_be_visible()
        eventually(lambda: len(colours_of(page)) > 100)
    finally:
        sound_map.store(documents, before)


def test_a_track_without_a_file_says_so_and_one_without_a_sound_too(
    documents: Database[dict[str, Any]], page: Page, signed_in: str
) -> None:
    silent = page_corpus.IDS[page_corpus.SILENT]
    documents["recommendations"].update_one(
        {"_id": signed_in},
        {"$set": {"items.0.track_id": silent, "items.0.title": page_corpus.TITLE[page_corpus.SILENT]}},
    )
    page.reload()
    title = page_corpus.TITLE[page_corpus.SILENT]
    cards(page).filter(has_text=title).first.get_by_role("button", name=f"Play {title}").click()
    expect(page.get_by_role("status")).to_have_text(f"The file of track {silent} is not in the music folder.")
    soundless = dict(documents["tracks"].find_one({"_id": silent}) or {}, _id="soundless", title="Soundless")
    documents["tracks"].insert_one(soundless)
    try:
        documents["recommendations"].update_one(
            {"_id": signed_in}, {"$set": {"items.0.track_id": "soundless", "items.0.title": "Soundless"}}
        )
        page.reload()
        cards(page).get_by_role("button", name="Soundless", exact=True).click()
        expect(page.locator("dialog[open]")).to_contain_text("This track cannot be compared by sound yet.")
        page.keyboard.press("Escape")
    finally:
        documents["tracks"].delete_one({"_id": "soundless"})


def test_pictures_for_the_documentation(
    documents: Database[dict[str, Any]], page: Page, signed_in: str, pytestconfig: pytest.Config
) -> None:
    folder = pytestconfig.getoption("screenshots")
    if not folder:
        pytest.skip("`make screenshots` takes them")
    love_an_artist(documents, signed_in, page_corpus.ARTIST[0])
    page.set_viewport_size(SCREEN)
    page.reload()
    cards(page).nth(1).get_by_role("button", name="Play").click()
    expect(page.locator(".cards img").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=f"{folder}/listener.png")
    go(page, "Map")
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_role("button", name="Soul")).to_be_visible()
    page.wait_for_function("() => document.querySelector('canvas').width > 300")
    page.screenshot(path=f"{folder}/map.png")
