from __future__ import annotations

import os
import random

import pytest

from segue.corpus.paths import from_text, to_text


@pytest.mark.parametrize("name", ["a b/ç é.mp3", "100% live.mp3", "two\nlines.mp3", "汉族民歌.ogg", "50%.flac"])
def test_a_valid_name_stays_as_it_is(name):
    assert to_text(name) == name
    assert from_text(name) == name


def test_an_undecodable_byte_is_escaped_and_comes_back():
    name = os.fsdecode(b"caf\xe9.mp3")
    assert to_text(name) == "caf%E9.mp3"
    assert from_text("caf%E9.mp3") == name


def test_every_name_comes_back_and_is_valid_unicode():
    rng = random.Random(1)
    alphabet = b"%%%EF09ae\xc3\xa9\xff/ \n"
    for _ in range(5_000):
        name = os.fsdecode(bytes(rng.choices(alphabet, k=rng.randrange(1, 12))))
        text = to_text(name)
        text.encode()
        assert from_text(text) == name


def test_different_names_are_different_texts():
    assert to_text("a%E9.mp3") != to_text(os.fsdecode(b"a\xe9.mp3"))
