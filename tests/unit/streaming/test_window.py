from __future__ import annotations

import pytest

from segue.streaming.window import OffsetWindow

WINDOW = OffsetWindow("listens", {0: (5, 9), 2: (0, 3), 3: (7, 7)})


def test_a_window_counts_its_offsets():
    assert WINDOW.size == 7
    assert WINDOW.ends == {0: 9, 2: 3, 3: 7}


def test_json_brings_back_the_same_window():
    assert WINDOW.to_json() == '{"listens": {"0": [5, 9], "2": [0, 3], "3": [7, 7]}}'
    assert OffsetWindow.from_json(WINDOW.to_json()) == WINDOW


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
    ],
)
def test_anything_else_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match=r"is no window such as|below 0 or ends before"):
        OffsetWindow.from_json(text)
