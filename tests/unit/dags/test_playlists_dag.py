from __future__ import annotations

import pytest


@pytest.fixture
def playlists(dags):
    return dags["playlists"]


def test_tracks_are_placed_before_the_map_is_drawn_and_playlists_are_made_and_written(playlists):
    tasks = {"place_tracks", "draw_map", "find_moods", "make_playlists", "write_to_subsonic"}
    assert set(playlists.task_ids) == tasks
    assert playlists.get_task("place_tracks").downstream_task_ids == {"draw_map", "make_playlists"}
    assert not playlists.get_task("draw_map").downstream_task_ids
    assert playlists.get_task("make_playlists").downstream_task_ids == {"write_to_subsonic"}


def test_it_runs_every_day_and_after_each_nightly_training(playlists, dags):
    assert playlists.timetable.timetable.expression == "0 6 * * *"
    outlets = {asset.name for asset in dags["recommender"].get_task("train").outlets}
    waited_for = {asset.name for asset in playlists.timetable.asset_condition.objects}
    assert waited_for == {"full_training"} <= outlets
    assert playlists.catchup is False


def test_it_never_places_tracks_while_a_job_publishes_them(playlists, dags):
    assert playlists.get_task("place_tracks").pool == dags["corpus"].get_task("publish").pool


def test_it_is_documented(playlists):
    for word in ("What", "When", "Inputs", "Outputs", "When it fails"):
        assert f"**{word}.**" in playlists.doc_md
