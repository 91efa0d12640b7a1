"""A small sample corpus, rendered once for all tests of this folder."""

from __future__ import annotations

import pytest

from segue.demo import sample
from segue.demo.material import corpus_dir
from segue.demo.sample import SampleSummary
from segue.demo.scores import Score, catalogue


@pytest.fixture(scope="session")
def scores() -> dict[str, list[Score]]:
    return catalogue(corpus_dir())


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return sample.render(tmp_path_factory.mktemp("sample") / "müsic of mine", pieces=24)
