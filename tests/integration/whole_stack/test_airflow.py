"""The whole stack, with Airflow."""

from __future__ import annotations

import ipaddress
import os
import re
import sqlite3
import stat
import time
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import jwt
import psutil
import pytest
from kafka import KafkaProducer
from tests.support.alerts import Webhook

from segue.connections.kafka import config as kafka_config
from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.demo.watch import wait_for_dags
from segue.overview.dags import DAGS
from segue.runs import reports, summaries
from segue.runs.conclusion import MissedDeadline
from segue.stack import lifecycle, processes, secrets, spark_conf
from segue.stack.airflow import COMMANDS, make_pool
from segue.stack.airflow import viewer as viewer_login
from segue.stack.service import State

pytestmark = pytest.mark.integration

RUN_ID = "manual__2026-10-01T00:00:00+00:00"
REPORT = f"/segue/reports/recommender/{quote(RUN_ID, safe='')}"
BODY = "<h1>Promoted: Björk</h1>"

LATE_S = 120
"""Within which scheduler and triggerer note a missed deadline; it takes about ten."""

MAINTENANCE_S = 240
"""Within which a run of the DAG `maintenance` ends."""


@pytest.fixture
def services(settings, stack):  # noqa: ARG001 - which is to run
    yield {service.name: service for service in lifecycle.services(settings)}
    lifecycle.up(settings)


@pytest.fixture
def airflow(stack):
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        answer = client.post("/auth/token", json={"username": stack.username, "password": stack.password})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def test_everything_is_healthy(services):
    assert {service.state() for service in services.values()} == {State.HEALTHY}


def test_nothing_listens_beyond_loopback(settings, services):
    listening = {
        connection.laddr
        for process in processes.of(settings.state_dir)
        for connection in process.net_connections()
        if connection.status == "LISTEN"
    }
    ports = {port for service in services.values() for port in service.ports.values()}
    assert ports <= {address.port for address in listening}
    for address in listening:
        ip = ipaddress.ip_address(address.ip)
        assert (getattr(ip, "ipv4_mapped", None) or ip).is_loopback, address


def modes_in(folder):
    """Yield the modes of a folder and all that is in it, but for links, whose modes mean nothing."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if not stat.S_ISLNK(mode := path.lstat().st_mode):
                    yield path, mode


def test_nobody_else_can_read_the_state_and_no_password_is_shown(settings, services):
    state, passwords = settings.state_dir, asdict(secrets.load(settings)).values()
    folders = {service.data for service in services.values()} | {state / "logs", state / "run"}
    modes = {path: mode for folder in folders for path, mode in modes_in(folder)}
    modes |= {path: path.stat().st_mode for path in (state, state / "settings.json")}
    modes |= dict(modes_in(spark_conf.write(settings)))
    assert len(modes) > 100
    assert not [f"{path}: {mode:o}" for path, mode in modes.items() if mode & 0o077]

    shown = []
    for process in processes.of(state):
        with suppress(psutil.NoSuchProcess):  # such as a child that has read a DAG file
            shown.append(" ".join(process.cmdline()))
    shown += [path.read_text(errors="replace") for path in modes if path.suffix == ".log"]
    assert len(shown) > 2 * len(services)
    assert not [text for text in shown if any(password in text for password in passwords)]


def test_no_login_no_answer(stack):
    assert httpx.get(f"{stack.url}/api/v2/dags").status_code == 401


@pytest.fixture
def api(stack):
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, set(DAGS))
        yield api


@pytest.mark.parametrize(
    ("dag_id", "conf", "said"),
    [
        ("recommender", {"as_of": "2999-01-01"}, "as_of is 2999-01-01, which is in the future"),
        ("listens", {"day_from": "2026-10-02", "day_to": "2026-10-01"}, "day_from (2026-10-02) is after day_to"),
        ("incremental_retraining", {"replay_form": None}, "Did you mean 'replay_from'?"),
    ],
)
def test_a_trigger_with_wrong_params_is_refused_at_once_and_makes_no_run(airflow, api, dag_id, conf, said):
    before = api.runs(dag_id)
    body = {"logical_date": None, "conf": conf}
    refused = airflow.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
    assert refused.status_code == 400
    assert said in refused.json()["detail"]
    assert api.runs(dag_id) == before
    stranger = httpx.post(str(refused.url), json=body)
    assert stranger.status_code == 401, "who is not signed in does not learn the params"


def test_a_backfill_is_offered_only_where_the_day_matters(airflow, api):
    dags = airflow.get("/api/v2/dags", params={"limit": 100}).json()["dags"]
    assert api.dag_ids() >= {"genre_model", "maintenance"}
    assert {dag["dag_id"] for dag in dags if dag["is_backfillable"]} == {"corpus", "listens", "recommender"}


@pytest.fixture
def report(mongo):
    reports.save(f"recommender/{RUN_ID}", BODY, into=mongo)
    yield
    mongo[reports.COLLECTION].drop()


@pytest.mark.usefixtures("report")
def test_a_report_is_served_to_who_is_logged_in_and_may_load_or_run_nothing(airflow, stack):
    by_bearer = airflow.get(REPORT)
    by_cookie = httpx.get(stack.url + REPORT, cookies={"_token": token_of(airflow)})
    for answer in (by_bearer, by_cookie):
        assert (answer.status_code, answer.text) == (200, BODY)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "img-src data:", "style-src 'unsafe-inline'"} <= set(policy)
        assert "frame-ancestors 'self'" in policy
        assert not [rule for rule in policy if rule.startswith("script-src")]


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize("page", [REPORT, "/segue/", "/segue/rejects", "/segue/api/rejects"])
def test_a_page_is_refused_to_others(airflow, settings, stack, page):
    claims = jwt.decode(token_of(airflow), options={"verify_signature": False})
    key = secrets.load(settings).jwt_secret
    forbidden = {
        "a login that may not read the DAG": jwt.encode(claims | {"role": None}, key, "HS512"),
        "a token of another's making": jwt.encode(claims, key[::-1], "HS512"),
    }
    allowed = {"Authorization": f"Bearer {jwt.encode(claims, key, 'HS512')}"}
    assert httpx.get(stack.url + page, headers=allowed, timeout=60).status_code == 200, "so it is not the encoding"
    answers = [httpx.get(stack.url + page, headers={"Authorization": f"Bearer {t}"}) for t in forbidden.values()]
    answers.append(httpx.get(stack.url + page))
    assert [answer.status_code for answer in answers] == [403, 403, 401]
    assert not [answer for answer in answers if "Björk" in answer.text]


@pytest.fixture
def viewer(settings, stack):
    """A client of the role that may only look."""
    who = viewer_login(settings)
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        answer = client.post("/auth/token", json={"username": who.username, "password": who.password})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.mark.usefixtures("report")
def test_a_viewer_sees_all_pages_and_changes_nothing(airflow, viewer):
    for page in (REPORT, "/segue/", "/segue/rejects", "/segue/api/rejects", "/api/v2/dags"):
        assert (page, viewer.get(page).status_code, airflow.get(page).status_code) == (page, 200, 200)
    assert viewer.get(REPORT).text == BODY
    refused = [
        viewer.post("/api/v2/dags/corpus/dagRuns", json={"logical_date": None}),
        viewer.patch("/api/v2/dags/corpus", json={"is_paused": False}),
        viewer.delete("/api/v2/dags/corpus"),
        viewer.post("/api/v2/pools", json={"name": "mine", "slots": 1}),
        viewer.get("/api/v2/connections"),
        viewer.get("/api/v2/variables"),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)


def test_failed_logins_are_throttled_and_others_are_not(stack, airflow):
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.77")
    with httpx.Client(base_url=stack.url, transport=elsewhere, timeout=60) as client:

        def login(password):
            return client.post("/auth/token", json={"username": stack.username, "password": password})

        assert {login(f"guess {number}").status_code for number in range(10)} == {401}
        refused = login(stack.password)
        assert (refused.status_code, refused.json()["detail"][:26]) == (429, "Too many failed logins. Tr")
        assert int(refused.headers["Retry-After"]) <= 60
        logged_in = client.get("/api/v2/dags", headers={"Authorization": airflow.headers["Authorization"]})
        assert logged_in.status_code == 200
    assert httpx.post(
        f"{stack.url}/auth/token", json={"username": stack.username, "password": stack.password}
    ).is_success


def test_a_run_without_a_report_says_so(airflow):
    answer = airflow.get(REPORT)
    assert answer.status_code == 200
    assert "No job of this run has reported anything yet" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_every_runs_page_links_its_report(airflow):
    plugins = {plugin["name"]: plugin for plugin in airflow.get("/api/v2/plugins").json()["plugins"]}
    views = plugins["segue_reports"]["external_views"]
    assert [(view["name"], view["destination"], view["href"]) for view in views] == [
        ("Report", "dag_run", "/segue/reports/{DAG_ID}/{RUN_ID}"),
        ("Segue", "nav", "/segue/?shown=navigation"),
        ("Segue overview", "dag", "/segue/?shown=tab"),
    ]
    assert airflow.get("/api/v2/plugins/importErrors").json()["import_errors"] == []


def token_of(client):
    return client.headers["Authorization"].removeprefix("Bearer ")


def test_the_pool_lets_one_spark_application_run(airflow):
    assert airflow.get("/api/v2/pools/spark").json()["slots"] == 1


def test_the_pool_follows_its_setting_and_keeps_what_a_user_wrote(airflow, settings):
    pool = "/api/v2/pools/spark"
    mine = airflow.get(pool).json() | {"description": "mine", "include_deferred": True}
    body = {name: mine[name] for name in ("name", "slots", "description", "include_deferred")}
    assert airflow.patch(pool, json=body).is_success
    make_pool(settings.model_copy(update={"spark_applications": 2}))
    assert (airflow.get(pool).json()["slots"], airflow.get(pool).json()["description"]) == (2, "mine")
    make_pool(settings)
    assert (airflow.get(pool).json()["slots"], airflow.get(pool).json()["include_deferred"]) == (1, True)


def test_the_dags_of_the_project_are_read_without_an_error_and_no_examples(airflow):
    assert airflow.get("/api/v2/importErrors").json()["import_errors"] == []
    dags = airflow.get("/api/v2/dags").json()["dags"]
    assert not [dag["dag_id"] for dag in dags if dag["dag_id"].startswith("example_")]


@pytest.mark.parametrize("dag_id", ["corpus", "listens"])
def test_a_backfill_has_a_run_for_each_day_but_none_for_days_to_come(stack, airflow, dag_id):
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, {dag_id})
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=2), today + timedelta(days=3)
    body = {"dag_id": dag_id, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    answer = airflow.post("/api/v2/backfills/dry_run", json=body)
    runs = answer.json()["backfills"]
    assert [run["partition_key"] for run in runs] == [str(first + timedelta(days=n)) for n in range(3)]


@pytest.fixture
def webhook(settings):
    """The receiver of the alerts that this stack sends."""
    receiver = Webhook()
    with receiver.listening(int(settings.alert_urls.get_secret_value().rpartition(":")[2])):
        yield receiver


def ended(api, dag_id, run_id):
    give_up = time.monotonic() + MAINTENANCE_S
    while (state := api.run_state(dag_id, run_id)) not in FINISHED:
        assert time.monotonic() < give_up, state
        time.sleep(1)
    return state


def test_a_run_that_is_late_is_noted_among_its_reports_and_told(settings, stack, mongo, webhook):
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, {"genre_model"})
        run_id = api.trigger("genre_model", {})  # its DAG is paused: the run waits, and nothing is trained
    with closing(sqlite3.connect(settings.state_dir / "airflow" / "airflow.db", timeout=30)) as database, database:
        late = database.execute(
            "UPDATE deadline SET deadline_time = '2026-01-01 00:00:00.000000' WHERE dagrun_id = "
            "(SELECT id FROM dag_run WHERE dag_id = 'genre_model' AND run_id = ?)",
            (run_id,),
        )
        assert late.rowcount == 1, "the run has a deadline"
    give_up = time.monotonic() + LATE_S
    while not (noted := summaries.find(f"genre_model/{run_id}", MissedDeadline, source=mongo)):
        assert time.monotonic() < give_up, "nobody noted it"
        time.sleep(0.5)
    assert noted.missed == f"genre_model/{run_id} was queued 3 hours ago and has not succeeded."
    give_up = time.monotonic() + LATE_S
    while not webhook.received:
        assert time.monotonic() < give_up, "no alert was sent"
        time.sleep(0.5)
    [alert] = webhook.received
    assert alert["title"] == "Segue: genre_model is late"
    assert alert["message"].startswith(noted.missed)


def test_what_is_wrong_is_told_and_so_is_a_task_that_fails(settings, airflow, api, webhook):
    with KafkaProducer(**kafka_config(settings)) as producer:
        producer.send(settings.dead_letters_topic, b"{broken")
    webhook.refused = "dead letters"
    api.set_paused("watch", paused=False)
    try:
        assert ended(api, "watch", api.trigger("watch", {})) == "failed"
        alert = webhook.received[0]
        assert alert["title"] == "Segue: watch failed in look"
        assert "An alert could not be sent to json://127.0.0.1" in alert["message"]
        webhook.refused = None
        run_id = api.trigger("watch", {})
        assert ended(api, "watch", run_id) == "success"
    finally:
        api.set_paused("watch", paused=True)
    assert "dead letters" in webhook.titles[-1]
    logs = (settings.state_dir / "airflow" / "logs" / "dag_id=watch" / f"run_id={run_id}").rglob("*.log")
    text = "".join(log.read_text() for log in logs)
    assert "Told 1 address" in text
    of_run = f"/api/v2/dags/watch/dagRuns/{quote(run_id, safe='')}"
    told = airflow.get(f"{of_run}/taskInstances/look/xcomEntries/outcome").json()["value"]
    assert told.startswith("Told 1 address: ")
    assert airflow.get(of_run).json()["note"] == told[:1_000]
    assert not re.findall('"logger": ?"(?:kafka|openlineage|airflow.providers.openlineage)[^"]*"', text)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_component_is_started_again_and_the_others_are_left_alone(settings, services, name):
    others = {service.name: service.process() for service in services.values() if service.name != name}
    killed = services[name].process()
    killed.kill()
    killed.wait()
    lifecycle.up(settings)  # unless the supervisor was faster
    assert services[name].process() not in (killed, None)
    assert {service.state() for service in services.values()} == {State.HEALTHY}
    assert {other: services[other].process() for other in others} == others


def test_the_stack_comes_back_when_every_process_was_killed_at_once(settings, services, airflow):
    family = processes.of(settings.state_dir)
    for process in family:
        process.kill()
    psutil.wait_procs(family)
    lifecycle.up(settings)
    assert {service.state() for service in services.values()} == {State.HEALTHY}
    assert airflow.get("/api/v2/pools/spark").status_code == 200


def in_database(settings, statement, *values):
    file = settings.state_dir / "airflow" / "airflow.db"
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        return database.execute(statement, values).fetchall()


def test_old_runs_and_logs_are_deleted_but_not_a_run_that_has_not_finished(settings, stack, airflow):
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, {"maintenance", "genre_model", "recommender"})
        # Both DAGs are paused.
        states = {api.trigger("genre_model", {}): "success", api.trigger("recommender", {}): "running"}
        [finished, waiting] = states
        for run, state in states.items():
            started = f"{'2025-12-31' if run == finished else '2026-01-01'} 00:00:00.000000"
            aged = "UPDATE dag_run SET state = ?, start_date = ? WHERE run_id = ?"
            in_database(settings, aged, state, started, run)
        log = (
            settings.state_dir / "airflow" / "logs" / "dag_id=genre_model" / f"run_id={finished}" / "attempt=1.log"
        )
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        os.utime(log, (0, 0))

        run = api.trigger("maintenance", {"keep_days": 30})
        assert ended(api, "maintenance", run) == "success"
    left = {each for [each] in in_database(settings, "SELECT run_id FROM dag_run")}
    assert (finished in left, waiting in left, run in left) == (False, True, True)
    assert not log.parent.exists()
    in_database(settings, "UPDATE dag_run SET state = 'failed' WHERE run_id = ?", waiting)  # so that it may go
    assert airflow.delete(f"/api/v2/dags/recommender/dagRuns/{waiting}").status_code == 204
