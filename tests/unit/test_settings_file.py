from __future__ import annotations

import pytest

from segue.errors import ConfigurationError
from segue.settings import Settings, read_settings, source
from segue.settings_file import changed
from segue.stack import lifecycle


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "segue.toml"
    monkeypatch.setenv("SEGUE_CONFIG", str(path))
    return path


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(file, monkeypatch):
    file.write_text('corpus = "mine"\nkafka_port = 1234\n')
    monkeypatch.setenv("SEGUE_KAFKA_PORT", "4321")
    settings = Settings()
    assert (settings.corpus, settings.kafka_port, settings.api_port) == ("mine", 4321, 18100)
    assert [source(name) for name in ("corpus", "kafka_port", "api_port")] == [
        str(file),
        "SEGUE_KAFKA_PORT",
        "default",
    ]


@pytest.mark.usefixtures("file")
def test_without_a_file_the_defaults_apply():
    assert Settings().corpus == "sample"


def test_relative_paths_begin_at_the_folder_of_the_file(file):
    file.write_text('music = "music"\nlake = "s3://bucket/lake"\n')
    assert Settings().music == file.parent / "music"
    assert Settings().lake == "s3://bucket/lake"


def test_another_corpus_from_the_environment_does_not_get_the_music_of_the_file(file, monkeypatch):
    file.write_text('corpus = "mine"\nmusic = "/music"\nkafka_port = 1234\n')
    monkeypatch.setenv("SEGUE_CORPUS", "sample")
    assert Settings().music is None
    assert source("music") == "default"
    assert Settings().kafka_port == 1234


def test_processes_of_the_stack_read_no_file(file, monkeypatch):
    made = Settings(corpus="sample").environment
    file.write_text('music = "/elsewhere"\n')
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    assert Settings().music is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("corpus = mine", "is not valid TOML: "),
        ('musik = "/music"', "there is no setting 'musik'. Did you mean music?"),
        ('kafka_sasl_password = "secret"', "is a password. Set the variable SEGUE_KAFKA_SASL_PASSWORD instead."),
        (
            "kafka_port = 0",
            "kafka_port = 0: Input should be greater than or equal to 1. Correct or remove this",
        ),
    ],
)
def test_a_file_that_cannot_work_is_refused_in_one_sentence_with_its_path(file, content, said):
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"segue\.toml") as refused:
        read_settings()
    assert said in str(refused.value)


def test_changing_a_setting_keeps_comments_and_other_lines():
    before = '# Mine\ncorpus = "old" # a remark\n\nkafka_port = 1\nmusic = "/old"\n'
    after = changed(before, {"corpus": "new", "kafka_port": 2, "music": None, "metadata": 'a "b"\\c'})
    assert after == '# Mine\ncorpus = "new" # a remark\n\nkafka_port = 2\nmetadata = "a \\"b\\"\\\\c"\n'


def test_every_password_is_one_and_no_file_of_the_stack_has_it(tmp_path):
    passwords = {
        "alert_urls": "sesame",
        "kafka_sasl_password": "sesame",
        "kafka_ssl_key_password": "sesame",
        "lineage_transport": '{"type": "sesame"}',
        "subsonic_password": "sesame",
    }
    assert passwords.keys() == lifecycle.PASSWORDS
    settings = Settings(home=tmp_path, **passwords)
    settings.state_dir.mkdir(parents=True)
    lifecycle._save(settings)
    kept = (settings.state_dir / "settings.json").read_text()
    assert not [word for word in ("sesame", *passwords) if word in kept]
