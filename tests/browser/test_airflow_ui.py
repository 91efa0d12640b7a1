"""What a user does in Airflow's UI: log in, trigger a DAG with its form, watch it, read a log and a report."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Page, expect
from pymongo.database import Database

from segue.demo import sample
from segue.demo.airflow_api import AirflowApi
from segue.demo.watch import wait_for_dags
from segue.overview.dags import DAGS
from segue.runs import reports
from segue.runs.html import Picture, Section, render
from segue.settings import Settings
from segue.stack.airflow import Login

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

TASKS = (
    "skip_unless_changed",
    "inventory",
    "extract",
    "skip_if_ping",
    "integrate",
    "quality_gate",
    "publish",
    "summary",
)
BACKGROUND = "body => getComputedStyle(body).backgroundColor"
PAGE_MS = 60_000
RUN_MS = 900_000


@pytest.fixture
def music(settings: Settings) -> None:
    sample.render(settings.music_dir, pieces=24)


def log_in(page: Page, stack: Login) -> None:
    page.goto(stack.url)
    page.get_by_label("Username").fill(stack.username)
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Dags", exact=True)).to_be_visible(timeout=PAGE_MS)


@pytest.mark.usefixtures("music")
def test_corpus_triggered_with_its_form_turns_green_and_its_log_shows_progress(page: Page, stack: Login) -> None:
    log_in(page, stack)
    page.get_by_role("link", name="Dags", exact=True).click()
    for dag_id in ("corpus", "genre_model", "recommender", "incremental_retraining"):
        expect(page.get_by_role("link", name=dag_id, exact=True).first).to_be_visible(timeout=PAGE_MS)

    page.get_by_role("link", name="corpus", exact=True).first.click()
    # The page is built anew until its data are there, and a form opened before goes with it.
    expect(page.get_by_text("inventory", exact=True)).to_be_visible(timeout=PAGE_MS)
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("First day on which tracks entered the corpus.", exact=False)).to_be_visible(
        timeout=PAGE_MS
    )
    form.locator("input[type=date]").first.fill("2026-10-01")
    form.get_by_role("button", name="Trigger").click()
    expect(form).to_be_hidden(timeout=PAGE_MS)

    with AirflowApi(stack.url, stack.username, stack.password) as api:
        [run_id] = api.runs("corpus")
        api.set_paused("corpus", paused=False)
    run_url = f"{stack.url}/dags/corpus/runs/{quote(run_id)}"
    page.goto(run_url)
    success = page.get_by_text("Success", exact=True)
    expect(success).to_have_count(len(("run", *TASKS)), timeout=RUN_MS)

    with AirflowApi(stack.url, stack.username, stack.password) as api:  # the page shows only a part of a long log
        [inventory] = [task for task in api.tasks("corpus", run_id) if task.task_id == "inventory"]
        lines = api.log_lines("corpus", run_id, inventory)
    assert any(re.search(r"progress: \d+/\d+ tracks", line) for line in lines)
    page.goto(f"{run_url}/tasks/extract")
    expect(page.get_by_text("task inventory has done this job").first).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_text("== extract ==").first).to_be_visible(timeout=PAGE_MS)


def test_a_backfill_from_the_dialog_has_a_run_for_each_day_but_none_for_days_to_come(
    page: Page, stack: Login
) -> None:
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, {"listens"})  # its DAG is paused: the runs wait
    log_in(page, stack)
    page.goto(f"{stack.url}/dags/listens")
    expect(page.get_by_text("ingest", exact=True)).to_be_visible(timeout=PAGE_MS)
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.get_by_text("Backfill", exact=True).click()
    today = datetime.now(UTC).date()
    for day in (today - timedelta(days=2), today + timedelta(days=3)):
        form.get_by_text("Select date and time").first.click()
        date = page.get_by_placeholder("YYYY/MM/DD")
        date.fill(f"{day:%Y/%m/%d}")
        date.press("Enter")
        form.get_by_text("Reprocess Behavior").click()  # closes the calendar
        expect(date).to_be_hidden()
    form.get_by_text("All Runs", exact=True).click()
    expect(form.get_by_text("3 runs will be triggered.")).to_be_visible()
    form.get_by_role("button", name="Run Backfill").click()
    expect(form).to_be_hidden()
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        keys = sorted(run_id.split("__")[2] for run_id in api.runs("listens"))
    assert keys == [str(today - timedelta(days=days)) for days in (2, 1, 0)]


def test_the_report_of_a_run_opens_from_its_page_and_runs_no_script(
    page: Page, stack: Login, mongo: Database[dict[str, Any]]
) -> None:
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        run_id = api.trigger("genre_model", {})  # its DAG is paused: the run waits
    picture = Picture(Figure(figsize=(1, 1)), "A square")
    html = render("Genre model", "Kept.", [Section("Part", "Text.", figures=[picture])], {})
    script = "<script>document.querySelector('h1').textContent = 'changed'</script>"
    reports.save(f"genre_model/{run_id}", html.replace("</body>", f"{script}</body>"), into=mongo)

    log_in(page, stack)
    page.goto(f"{stack.url}/dags/genre_model/runs/{quote(run_id)}")
    page.get_by_role("link", name="Report", exact=True).click()
    report = page.frame_locator("iframe[title=Report]")
    expect(report.get_by_text("Kept.")).to_be_visible(timeout=PAGE_MS)
    expect(report.get_by_role("heading", name="Genre model")).to_be_visible()
    width = report.get_by_alt_text("A square").evaluate("image => image.naturalWidth")
    assert width > 0, "the figure was not loaded"


def test_the_overview_is_behind_the_login_and_fits_a_phone_and_the_dark(page: Page, stack: Login) -> None:
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, set(DAGS))
    page.goto(f"{stack.url}/segue/")
    page.get_by_label("Username").fill(stack.username)
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Segue", exact=True)).to_be_visible()
    assert urlsplit(page.url).path == "/segue/", "the login leads back"
    for dag_id in DAGS:
        expect(page.get_by_role("link", name=dag_id, exact=True)).to_be_visible()
    assert not page.locator(".verdict", has_text="does not answer").count()

    light = page.locator("body").evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark")
    assert page.locator("body").evaluate(BACKGROUND) != light
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390

    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{stack.url}/dags/corpus")
    page.get_by_role("link", name="Segue", exact=True).click()
    navigation = page.frame_locator("iframe[title=Segue]")
    expect(navigation.get_by_role("heading", name="DAGs")).to_be_visible()
    page.goto(f"{stack.url}/dags/corpus")
    page.get_by_role("link", name="Segue overview", exact=True).click()
    tab = page.frame_locator("iframe[title='Segue overview']")
    expect(tab.get_by_role("heading", name="DAGs")).to_be_visible()
    expect(tab.get_by_role("link", name="corpus", exact=True)).to_have_count(0)
