"""What the API answers while no recommender serves."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from segue.errors import ModelError
from segue.recommender.serving.champion import Champion
from segue.recommender.serving.one_listener import Recommending
from segue.settings import Settings


def test_that_nothing_was_trained_yet_is_no_fault_but_a_model_that_cannot_be_loaded_is_one(tmp_path: Path) -> None:
    champion = Champion(Settings(home=tmp_path))
    database: Any = defaultdict(dict)
    source = Recommending(database, champion)
    assert source.none_yet() == (
        "Nothing can be recommended: no recommender has been trained yet: run the DAG `recommender`."
    )
    champion.error = "recommender/3 is damaged"
    assert source.none_yet() is None
    with pytest.raises(ModelError, match="Nothing can be recommended: recommender/3 is damaged"):
        source.served()
