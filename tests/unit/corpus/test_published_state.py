from __future__ import annotations

import time
from datetime import date

import pytest
from tests.support.corpus_reports import LAKE, run

from segue.corpus import publications
from segue.corpus.listing import list_audio
from segue.runs import progress
from segue.settings import Settings


def test_a_run_has_published_the_state_that_all_its_jobs_saw():
    expected = publications.made_from(LAKE, "files", "metadata", Settings())
    assert publications.published_from(run(), Settings()) == expected


@pytest.mark.parametrize(
    ("job", "changes"),
    [
        ("integrate", {"metadata_digest": "changed during the extraction"}),
        ("extract", {"to_retry": 1}),
        ("publish", {"unchanged_since": "corpus/a"}),
    ],
)
def test_a_run_whose_jobs_saw_two_states_or_that_left_work_stands_for_none(job, changes):
    reports = run()
    changed = getattr(reports, job).model_copy(update=changes)
    assert publications.published_from(reports.model_copy(update={job: changed}), Settings()) is None


def changed(lake=LAKE, files="files", metadata="metadata", **settings):
    key = publications.made_from(LAKE, "files", "metadata", Settings())
    return publications.made_from(lake, files, metadata, Settings(**settings)) != key


def test_a_state_is_lake_music_metadata_and_limits():
    assert not changed()
    assert changed(lake=LAKE.model_copy(update={"rejects": 3}))
    assert changed(files="others")
    assert changed(metadata="another")
    assert changed(gate_max_outliers=0.01)


def test_another_version_of_the_features_is_another_state(monkeypatch):
    key = publications.made_from(LAKE, "files", "metadata", Settings())
    monkeypatch.setattr(publications, "FEATURE_VERSION", "0")
    assert publications.made_from(LAKE, "files", "metadata", Settings()) != key


def test_so_is_another_version_of_the_musical_descriptors_if_they_are_wanted(monkeypatch):
    with_, without = Settings(), Settings(audio_musical=False)
    keys = [publications.made_from(LAKE, "files", "metadata", each) for each in (with_, without)]
    assert keys[0] != keys[1]
    monkeypatch.setattr(publications, "MUSICAL_VERSION", 0)
    assert publications.made_from(LAKE, "files", "metadata", with_) != keys[0]
    assert publications.made_from(LAKE, "files", "metadata", without) == keys[1]


def test_so_are_another_model_of_the_embedding_and_other_vectors_for_similarity(tmp_path):
    models = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for model in models:
        model.write_text(model.name)
    settings = [Settings(), *(Settings(audio_embedding_model=str(model)) for model in models)]
    settings += [Settings(audio_embedding_model=str(models[0]), audio_embedding_window_s=1.0)]
    settings += [Settings(sound_vectors="features,embedding")]
    keys = {publications.made_from(LAKE, "files", "metadata", each) for each in settings}
    assert len(keys) == 5


@pytest.mark.parametrize("module", ["corpus/rules.py", "corpus/sources/table.py", "tracks/vectors.py"])
def test_other_rules_or_another_form_of_the_vectors_are_another_state(module, tmp_path, monkeypatch):
    from shutil import copytree

    rules = tuple(copytree(folder, tmp_path / folder.name) for folder in publications.RULES)
    key = publications.made_from(LAKE, "files", "metadata", Settings())
    monkeypatch.setattr(publications, "RULES", rules)
    assert publications.made_from(LAKE, "files", "metadata", Settings()) == key
    with (tmp_path / module).open("a") as source:
        source.write("# another one\n")
    assert publications.made_from(LAKE, "files", "metadata", Settings()) != key


def test_listing_a_large_library_before_a_run_shows_progress(tmp_path, monkeypatch, capsys):
    for number in range(3):
        (tmp_path / f"{number}.mp3").write_bytes(b"x")

    def slow(music, through):
        listed = list_audio(music, through)
        time.sleep(0.5)
        return listed

    monkeypatch.setattr(publications, "list_audio", slow)
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    publications.present(Settings(home=tmp_path / "home", music=tmp_path), date(2026, 3, 1))
    shown = capsys.readouterr()
    assert "List the music: 3 files, 0:00:00 so far" in shown.out
    assert shown.err == "", "Airflow would show it as errors"
