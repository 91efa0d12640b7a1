"""Print to the terminal. Names of tracks, users and files are printed unchanged, never read as rich's markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import Task, TextColumn
from rich.table import Table
from rich.text import Text

_CONTROL = {
    code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}  # such as ESC, which begins commands for the terminal


WIDEST = 1_000
"""Longest line of a table, in characters."""


class PlainConsole(Console):
    """A console that prints text as it is: no markup, no emoji codes, control characters escaped.

    Styles are given by `rich.text.Text`.

    Parameters
    ----------
    stderr
        Whether to print to standard error.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def print_whole(self, table: Table) -> None:
        """Print a table without cutting any cell, even if its lines are longer than the terminal is wide."""
        natural = self.measure(table, options=self.options.update(width=WIDEST))
        self.width = max(self.width, natural.maximum)
        self.print(table)

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string to text. Rich calls this for everything that is printed, cells of tables included."""
        return super().render_str(text.translate(_CONTROL), **options)


class PlainColumn(TextColumn):
    """A column of a progress bar that shows text as it is. Rich's own column interprets markup on any console."""

    def render(self, task: Task) -> Text:
        """Return the text of a task."""
        text = self.text_format.format(task=task).translate(_CONTROL)
        return Text(text, style=self.style, justify=self.justify)
