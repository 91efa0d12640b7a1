from __future__ import annotations

import pytest

from segue.connections.windows import Offsets, OffsetWindow

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


def test_json_brings_back_the_topic_that_a_window_belongs_to():
    known = OffsetWindow("listens", {0: (5, 9)}, topic_id="one")
    assert known.to_json() == '{"listens": {"0": [5, 9], "topic_id": "one"}}'
    assert OffsetWindow.from_json(known.to_json()).ends.topic_id == known.starts.topic_id == "one"
    assert Offsets.from_json(known.ends.to_json()).topic_id == "one"


def test_a_window_of_an_earlier_topic_is_told_from_one_whose_topic_is_not_known():
    present = OffsetWindow("listens", {}, topic_id="two")
    assert [OffsetWindow("listens", {}, topic_id=each).is_of(present) for each in ("one", "two", None)] == [
        False,
        True,
        True,
    ]


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


def test_offsets_compare_with_mappings_and_print_and_read_themselves():
    end_offsets = Offsets({"0": 120, "3": 7})
    assert end_offsets == {0: 120, 3: 7} == Offsets({0: 120, 3: 7})
    assert (end_offsets[3], end_offsets.get(5, 0), len(end_offsets), bool(Offsets({}))) == (7, 0, 2, False)
    assert end_offsets.to_json() == '{"0": 120, "3": 7}'
    assert Offsets.from_json(end_offsets.to_json()) == end_offsets
    assert (str(end_offsets), repr(end_offsets)) == ("{0: 120, 3: 7}", "Offsets({0: 120, 3: 7})")


def test_offsets_ahead_of_others_are_counted_and_those_behind_are_not():
    assert Offsets({0: 120, 1: 5}).ahead_of({0: 100, 1: 50}) == 20
    assert Offsets({0: 100}).ahead_of({0: 100}) == 0
    assert Offsets({2: 3}).ahead_of({}) == 3


def test_offsets_of_another_topic_count_as_none():
    assert Offsets({0: 100}, "two").ahead_of(Offsets({0: 120}, "one")) == 100
    assert Offsets({0: 100}, "two").ahead_of(Offsets({0: 120}, "two")) == 0
    assert Offsets({0: 100}, "two").ahead_of(Offsets({0: 120})) == 0, "of the version before: not known"


@pytest.mark.parametrize("text", ["", "null", "[1]", "7", '{"x": 1}', '{"0": 1.5}', '{"0": "1"}', '{"0": true}'])
def test_what_is_not_offsets_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match="is not offsets by partition such as"):
        Offsets.from_json(text)
