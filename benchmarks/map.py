"""Measure the map of the library: its layout, and how long a frame takes while the map is panned.

Run it with ``.venv/bin/python benchmarks/map.py --tracks 20000``. The tracks are made up: 64 kinds of sound.
The page is the built one, in headless Chromium, which draws without a graphics card. Its requests are answered
here.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from playwright.sync_api import Route, sync_playwright
from scipy.spatial import cKDTree

from segue.api.pages import STATIC
from segue.tracks.map_layout import lay_out, place_between
from segue.tracks.sound_map import SoundMap

KINDS, DIMENSIONS = 64, 64
ORIGIN = "http://segue.test"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NEAREST, COMPARED = 10, 2_000
"""So many neighbours of so many tracks are compared between the space of sound and the map."""

FRAMES = 100
DRAWN_MS = 3_000
"""How long the page may draw before and between the measurements."""

PAN = """async (frames) => {
  const canvas = document.querySelector('.canvas'), box = canvas.getBoundingClientRect();
  const at = (step) => ({
    clientX: box.x + box.width / 2 + 150 * Math.sin(step / 10),
    clientY: box.y + box.height / 2 + 100 * Math.cos(step / 8),
    bubbles: true, cancelable: true, view: window,
  });
  const frame = () => new Promise(requestAnimationFrame);
  canvas.dispatchEvent(new MouseEvent('mousedown', at(0)));
  const spent = [];
  let before = await frame();
  for (let step = 1; step <= frames; step++) {
    window.dispatchEvent(new MouseEvent('mousemove', at(step)));
    const now = await frame();
    spent.push(now - before);
    before = now;
  }
  window.dispatchEvent(new MouseEvent('mouseup', at(frames)));
  return spent;
}"""
"""Drags the map a little before each frame, so that every frame differs from the one before."""


def main(
    tracks: Annotated[int, typer.Option(help="Number of made-up tracks.")] = 20_000,
    layout: Annotated[
        bool, typer.Option("--layout/--no-layout", help="Whether to compute a layout, or to draw random places.")
    ] = True,
) -> None:
    """Print the figures."""
    random = np.random.default_rng(0)
    kind = random.integers(KINDS, size=tracks)
    places = random.uniform(-1, 1, (tracks, 2)).astype(np.float32)
    if layout:
        middles = random.normal(size=(KINDS, DIMENSIONS)) * np.linspace(2, 0.2, DIMENSIONS)
        sounds = middles[kind] + random.normal(size=(tracks, DIMENSIONS)) * np.linspace(1, 0.3, DIMENSIONS)
        places = laid_out((sounds / np.linalg.norm(sounds, axis=1, keepdims=True)).astype(np.float32))
    ids = [str(100_000 + i) for i in range(tracks)]
    frames(SoundMap(ids, places, (kind % 16).astype(np.uint8), [f"Genre {i}" for i in range(16)]).packed())


def laid_out(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay tracks out, and print what it costs."""
    began_s, cpu_s = time.perf_counter(), time.process_time()
    places = lay_out(vectors)
    print(
        f"layout of {len(vectors):,} tracks: {time.process_time() - cpu_s:.0f} s of CPU, "
        f"{time.perf_counter() - began_s:.0f} s, "
        f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )
    print(
        f"{kept(vectors, places):.1%} of the {NEAREST} nearest by sound are among the {NEAREST} nearest on the map"
    )
    cpu_s = time.process_time()
    place_between(vectors[:1000], vectors[1000:], places[1000:])
    print(f"1,000 new tracks: {time.process_time() - cpu_s:.1f} s of CPU")
    return places


def kept(vectors: NDArray[np.float32], places: NDArray[np.float32]) -> float:
    """Return the mean share of a track's nearest neighbours by sound that are its nearest on the map, too."""
    shares, on_map = [], cKDTree(places)
    for row in np.random.default_rng(1).choice(len(vectors), min(COMPARED, len(vectors)), replace=False):
        cosines = vectors @ vectors[row]
        cosines[row] = -np.inf
        by_sound = np.argpartition(-cosines, NEAREST)[:NEAREST]
        _, near = on_map.query(places[row], NEAREST + 1)
        shares.append(len(np.intersect1d(by_sound, near[near != row][:NEAREST])) / NEAREST)
    return float(np.mean(shares))


def frames(packed: bytes) -> None:
    """Pan the map in the page, and print the median time from frame to frame."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        if path.startswith("/static/"):
            route.fulfill(path=STATIC / Path(path).name)
        elif path.startswith("/u/"):
            route.fulfill(path=STATIC / "index.html")
        elif path == "/v1/map":
            route.fulfill(body=packed, content_type="application/octet-stream")
        else:
            route.fulfill(json=made_up(path))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.route(f"{ORIGIN}/**", answer)
        page.goto(f"{ORIGIN}/u/anna#map")
        page.locator(".canvas canvas").wait_for()
        for zoom in (0, 4):
            page.locator(".canvas").focus()
            for _ in range(zoom):
                page.keyboard.press("+")
            page.wait_for_timeout(DRAWN_MS)
            spent_ms = page.evaluate(PAN, FRAMES)
            print(
                f"{zoom} steps of zoom: median frame {statistics.median(spent_ms):.1f} ms, "
                f"95th percentile {np.percentile(spent_ms, 95):.1f} ms, {len(spent_ms)} frames"
            )
        browser.close()


def made_up(path: str) -> dict[str, Any]:
    """Answer what the page asks besides the map."""
    if path == "/v1/sign-in":
        return {"user_name": "anna"}
    return {"feedback": [], "tracks": []}


if __name__ == "__main__":
    typer.run(main)
