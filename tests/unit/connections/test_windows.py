from __future__ import annotations

import pytest

from segue.connections.windows import OffsetWindow

WINDOW = OffsetWindow("listens", {0: (5, 9), 2: (0, 3), 3: (7, 7)})


def test_a_window_counts_its_offsets():
    assert WINDOW.size == 7
    assert WINDOW.ends == {0: 9, 2: 3, 3: 7}


def test_json_brings_back_the_same_window():
    assert WINDOW.to_json() == '{"listens": {"0": [5, 9], "2": [0, 3], "3": [7, 7]}}'
    assert OffsetWindow.from_json(WINDOW.to_json()) == WINDOW


def test_json_tells_what_retention_took_only_where_it_took_something():
    lacking = OffsetWindow("listens", {0: (5, 9)}, lost=5)
    assert lacking.to_json() == '{"listens": {"0": [5, 9], "lost": 5}}'
    assert OffsetWindow.from_json(lacking.to_json()) == lacking
    assert (lacking.size, lacking.starts) == (4, {0: 5})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"a": {}, "b": {}}',
        '{"a": {"0": [1]}}',
        '{"a": {"x": [1, 2]}}',
        '{"a": {"0": [2, 1]}}',
        '{"a": {"0": [-1, 1]}}',
        '{"a": {"0": [0, 1], "lost": "some"}}',
    ],
)
def test_anything_else_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match=r"is no window such as|below 0 or ends before"):
        OffsetWindow.from_json(text)
