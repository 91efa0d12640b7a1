from __future__ import annotations

from hashlib import blake2b

import numpy as np

from segue.audio.embedding.definition import Embedding
from segue.audio.musical.definition import Musical
from segue.audio.results import TAG_NAMES
from segue.corpus import schema


def test_the_schema_changes_only_with_its_version():
    assert schema.SCHEMA_VERSION == 9
    assert blake2b(repr(sorted(schema.TABLES.items())).encode(), digest_size=8).hexdigest() == "65d6eda652cf6056"


def test_the_musical_columns_are_the_fields_of_the_outcome():
    values = schema.musical_values(Musical(tempo_bpm=100.0, key_tonic="Eb", error="no"))
    assert {*values} == {*schema.columns(schema.MUSICAL), "musical_error"}
    assert {*values} <= {*schema.columns(schema.FEATURES)} & {*schema.columns(schema.EXTRACTED)}
    assert (values["tempo_bpm"], values["key_tonic"], values["musical_error"]) == (100.0, "Eb", "no")
    assert schema.musical_values(None) == {}


def test_an_embedding_fills_its_columns():
    values = schema.embedding_values(Embedding("v1", np.float32([1, 2])))
    assert [*values] == schema.BESIDE["embedding"]
    assert {*values} <= {*schema.columns(schema.FEATURES)} & {*schema.columns(schema.EXTRACTED)}
    assert values["embedding"].tolist() == [1, 2]
    lacking = {"embedding": None, "embedding_version": "v1", "embedding_error": "short"}
    assert schema.embedding_values(Embedding("v1", error="short")) == lacking
    assert schema.embedding_values(None) == {}


def test_names_the_columns_of_a_table():
    assert schema.columns(schema.INVENTORY) == [
        "track_id",
        "path",
        "size_bytes",
        "mtime_ns",
        "first_seen",
        "partition_date",
        "part",
    ]


def test_the_values_of_tags_fill_their_columns_and_can_be_stored():
    values = schema.tag_values(dict.fromkeys(TAG_NAMES, "text"), "No tags in 'a\udcff.mp3'.")
    assert list(values) == schema.columns(schema.TAGS)
    assert values["tag_error"] == "No tags in 'a?.mp3'."
