from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest

from segue.errors import ConfigurationError
from segue.settings import PROJECT_DIR, get_settings, read_settings

ORDER = {
    "genre_model": ["train", "summary"],
    "recommender": ["online_evaluation", "train", "find_learned_listens", "commit", "summary"],
    "incremental_retraining": ["wait_for_listens", "retrain", "commit", "summary"],
}
NAMES = (*ORDER, "new_tracks")
SPARK_TASK = {
    "genre_model": "train",
    "recommender": "train",
    "incremental_retraining": "retrain",
    "new_tracks": "place_new_tracks",
}
CONTINUOUS = {"incremental_retraining": "listens", "new_tracks": "tracks"}


@pytest.mark.parametrize("name", ORDER)
def test_the_tasks_run_one_after_the_other(dags, name):
    assert set(dags[name].task_ids) == set(ORDER[name])
    for task, following in pairwise(ORDER[name]):
        assert dags[name].get_task(task).downstream_task_ids == {following}


def test_new_tracks_get_their_genre_whether_or_not_they_could_be_placed(dags):
    new_tracks = dags["new_tracks"]
    assert new_tracks.get_task("wait_for_tracks").downstream_task_ids == {"place_new_tracks", "refit_genre"}
    for task in ("place_new_tracks", "refit_genre"):
        assert new_tracks.get_task(task).downstream_task_ids == {"commit"}
    assert new_tracks.get_task("refit_genre").application_args[-2:] == ["--search", "refit"]
    assert (
        new_tracks.get_task("place_new_tracks").priority_weight
        > new_tracks.get_task("refit_genre").priority_weight
    )


@pytest.mark.parametrize("name", NAMES)
def test_they_are_documented_and_tagged(dags, name):
    assert {"segue", "model"} <= set(dags[name].tags)
    for word in ("What", "When", "Inputs", "Outputs", "When it fails"):
        assert f"**{word}.**" in dags[name].doc_md


def test_every_dag_has_a_description_and_every_task_an_owner_and_an_alert(dags):
    for dag in dags.values():
        assert dag.description == dag.doc_md.partition("\n")[0]
        assert dag.description.endswith(".")
        for task in dag.tasks:
            assert (task.owner, len(task.on_failure_callback)) == ("segue", 1), task


def test_every_task_is_documented_and_every_dag_tells_what_it_has_come_to(dags):
    for dag in dags.values():
        assert [task.task_id for task in dag.tasks if not (task.doc_md or "").strip()] == [], dag.dag_id
        functions = (getattr(task, "python_callable", None) for task in dag.tasks)
        telling = [each for each in functions if each and "tell" in each.__code__.co_names]
        assert len(telling) == 1, dag.dag_id


def test_lineage_leads_from_features_to_recommendations(dags):
    def assets(task):
        return {asset.name for asset in task.inlets}, {asset.name for asset in task.outlets}

    corpus, nightly = dags["corpus"], dags["recommender"].get_task("train")
    assert assets(corpus.get_task("extract")) == (set(), {"features"})
    assert assets(corpus.get_task("integrate"))[0] == {"features"}
    assert assets(corpus.get_task("publish")) == (set(), {"tracks"})
    assert assets(dags["listens"].get_task("ingest")) == (set(), {"listens"})
    assert assets(nightly) == ({"tracks", "listens"}, {"recommender", "recommendations", "full_training"})
    assert assets(dags["genre_model"].get_task("train")) == ({"tracks"}, {"genre"})


@pytest.mark.parametrize("name", NAMES)
def test_every_param_has_a_type_and_a_help_text(dags, name):
    params = dags[name].params
    assert params
    for key in params:
        param = params.get_param(key)
        assert param.schema["type"]
        assert param.schema["title"]
        assert len(param.description) > 15


@pytest.mark.parametrize(("name", "task"), SPARK_TASK.items())
def test_never_two_spark_applications_at_once(dags, name, task):
    job = dags[name].get_task(task)
    assert (job.pool, job.pool_slots) == ("spark", 1)
    assert dags[name].max_active_runs == 1


def test_no_task_can_hang_for_ever_and_a_large_corpus_has_a_day(dags):
    limits = {(name, task.task_id): task.execution_timeout for name in dags for task in dags[name].tasks}
    assert [task for task, limit in limits.items() if limit is None] == []
    of_spark = {limit for (name, task), limit in limits.items() if dags[name].get_task(task).pool == "spark"}
    assert of_spark == {timedelta(days=1)}
    many_listeners = {("playlists", "make_playlists"), ("playlists", "write_to_subsonic")}
    others = {limit for task, limit in limits.items() if task not in many_listeners}
    assert others - of_spark == {timedelta(hours=1)}


def test_nightly_trainings_do_not_catch_up(dags):
    for name in ("genre_model", "recommender"):
        assert dags[name].timetable.expression == {"genre_model": "0 2 * * *", "recommender": "0 3 * * *"}[name]
        assert not dags[name].catchup


@pytest.mark.parametrize(
    ("day", "asked", "search"),
    [
        ("2026-11-21", "by day", "warm"),
        ("2026-11-22", "by day", "wide"),  # a Sunday
        ("2026-11-23", "by day", "warm"),
        ("2026-11-22", "warm", "warm"),
        ("2026-11-23", "wide", "wide"),
    ],
)
def test_nights_begin_with_what_was_best_and_sundays_search_wide(dags, day, asked, search):
    dag = dags["genre_model"]
    arguments = dag.get_task("train").application_args
    template = dag.get_template_env().from_string(arguments[arguments.index("--search") + 1])
    run = SimpleNamespace(run_after=datetime.fromisoformat(day))
    assert template.render(params={"search": asked}, dag_run=run) == search


def test_a_retry_goes_on_with_the_search_of_its_run(dags):
    train = dags["genre_model"].get_task("train")
    assert train.retries >= 1
    # The name of the study, so that the trials which have ended are found: test_search.py tells the rest.
    assert train.application_args[:2] == ["--run-id", "{{ dag.dag_id }}/{{ run_id }}"]


@pytest.mark.parametrize(
    ("run_type", "chosen", "as_of"),
    [
        ("scheduled", None, ""),
        ("manual", None, ""),
        ("manual", "2026-10-01", "2026-10-01"),
        ("backfill", None, "2026-10-31"),
        ("backfill", "2026-10-01", "2026-10-01"),
    ],
)
def test_a_backfilled_run_learns_as_of_the_day_before_its_own(dags, run_type, chosen, as_of):
    from airflow.sdk.execution_time.macros import ds_add

    dag = dags["recommender"]
    template = dag.get_task("train").application_args[-1]
    macros, run = SimpleNamespace(ds_add=ds_add), SimpleNamespace(run_type=run_type)
    rendered = (
        dag.get_template_env()
        .from_string(template)
        .render(params={"as_of": chosen}, ds="2026-11-01", dag_run=run, macros=macros)
    )
    assert rendered == as_of


@pytest.mark.parametrize("name", CONTINUOUS)
def test_what_waits_for_kafka_starts_itself_again_but_not_after_failing_for_ever(dags, name):
    assert type(dags[name].timetable).__name__ == "ContinuousTimetable"
    assert dags[name].max_consecutive_failed_dag_runs == 5


def test_a_backfill_is_offered_only_where_the_day_matters(dags):
    offered = {
        name
        for name, dag in dags.items()
        if type(dag.timetable).__name__ != "ContinuousTimetable"  # it is not periodic
        and (dag.allowed_run_types is None or "backfill" in dag.allowed_run_types)
    }
    assert offered == {"corpus", "listens", "recommender"}


def test_the_first_task_of_every_dag_with_params_refuses_wrong_ones(dags):
    for dag in (dag for dag in dags.values() if dag.params):
        (first,) = dag.roots
        assert first._pre_execute_hook.__name__ == "refuse_wrong_params", dag.dag_id


def test_the_help_of_days_says_what_to_do_in_a_backfill(dags):
    for name in ("corpus", "listens", "recommender"):
        params = map(dags[name].params.get_param, dags[name].params)
        of_days = [param for param in params if param.schema.get("format") == "date"]
        assert of_days
        assert all("In a backfill, leave it empty" in param.description for param in of_days)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_offsets_are_committed_only_after_the_work_has_succeeded(dags, name):
    commit = dags[name].get_task("commit")
    assert commit.upstream_task_ids == {task.task_id for task in dags[name].tasks if task.pool == "spark"}
    assert SPARK_TASK[name] in commit.upstream_task_ids
    assert commit.trigger_rule == "all_success"
    assert [task.task_id for task in dags[name].tasks if task.task_type == "KafkaCommitOperator"] == ["commit"]


@pytest.mark.parametrize(("name", "topic"), CONTINUOUS.items())
def test_the_job_and_the_commit_get_the_same_window(dags, name, topic):
    dag, wait = dags[name], f"wait_for_{topic}"
    environment = dag.get_template_env()

    class Pulled:
        def xcom_pull(self, task):
            return {topic: {"0": [3, 9]}} if task == wait else None

    templates = [dag.get_task(SPARK_TASK[name]).application_args[3], dag.get_task("commit").window]
    rendered = [environment.from_string(template).render(ti=Pulled()) for template in templates]
    assert rendered == [f'{{"{topic}": {{"0": [3, 9]}}}}'] * 2


def test_each_sensor_has_a_topic_and_a_group_of_its_own_and_commits_to_it(dags):
    waiting = [
        (dags[name].get_task(f"wait_for_{CONTINUOUS[name]}"), dags[name].get_task("commit")) for name in CONTINUOUS
    ]
    assert [sensor.group for sensor, _ in waiting] == [commit.group for _, commit in waiting]
    assert len({sensor.topic for sensor, _ in waiting}) == len({sensor.group for sensor, _ in waiting}) == 2


def test_a_replay_is_asked_for_in_the_form_and_told_to_sensor_and_job(dags):
    dag = dags["incremental_retraining"]
    environment, wait = dag.get_template_env(), dag.get_task("wait_for_listens")
    templates = [wait.replay_from, wait.replay_offsets, dag.get_task("retrain").application_args[-1]]

    def rendered(**params):
        return [environment.from_string(template).render(params=params) for template in templates]

    assert rendered(replay_from=None, replay_offsets=None) == ["", "", ""]
    assert rendered(replay_from="2026-11-23T08:00:00Z", replay_offsets=None) == ["2026-11-23T08:00:00Z", "", "yes"]
    assert rendered(replay_from=None, replay_offsets={"0": 120}) == ["", '{"0": 120}', "yes"]
    assert rendered(replay_from=None, replay_offsets={}) == ["", "", ""]


@pytest.mark.parametrize("name", ["genre_model", "recommender"])
def test_the_schedule_and_its_time_zone_are_settings(monkeypatch, tmp_path, name):
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv(f"SEGUE_{name.upper()}_SCHEDULE", "30 1 * * 1")
    monkeypatch.setenv("SEGUE_TIMEZONE", "Europe/Berlin")
    get_settings.cache_clear()
    try:
        timetable = DagBag(PROJECT_DIR / "dags" / f"{name}.py").dags[name].timetable
    finally:
        get_settings.cache_clear()
    assert (timetable.expression, str(timetable.timezone)) == ("30 1 * * 1", "Europe/Berlin")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "SEGUE_TIMEZONE.*no such time zone"),
        ({"recommender_schedule": "at three"}, "SEGUE_RECOMMENDER_SCHEDULE.*no cron expression"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused(values, said):
    with pytest.raises(ConfigurationError, match=said):
        read_settings(**values)
