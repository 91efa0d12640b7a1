from __future__ import annotations

from segue.listens.lookup import Lookup


def test_a_key_has_its_number_and_one_that_comes_again_the_first() -> None:
    names = Lookup([("a", "x"), ("b", "x"), ("a", "x"), ("", "")])
    assert [names.get(key) for key in (("a", "x"), ("b", "x"), ("", ""), ("c", "x"))] == [0, 1, 3, None]
    assert len(names) == 3


def test_numbers_can_be_given() -> None:
    names = Lookup(["a", "b", "a"], [7, 5, 6])
    assert [names.get(key) for key in "abc"] == [7, 5, None]


def test_nothing_is_in_an_empty_one() -> None:
    assert Lookup([]).get("a") is None
