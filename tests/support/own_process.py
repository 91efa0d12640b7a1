"""Runs a function in a fresh process: in that of the tests, a stack's handles and children come and go."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def call_in_own_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function of a module in a process that holds nothing else; return or raise what it does."""
    with ProcessPoolExecutor(1, get_context("spawn")) as own:
        return own.submit(function, *args, **kwargs).result()
