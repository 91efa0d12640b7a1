"""The partitions that a job works on, and the command-line options that choose them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import chain

from pyspark.sql import Column
from pyspark.sql import functions as sf

from segue.corpus.reports import InventoryReport
from segue.corpus.schema import PARTITION
from segue.errors import CorpusError


@dataclass(frozen=True)
class Days:
    """A range of partitions, and single partitions outside the range.

    Attributes
    ----------
    first, last : date or None
        First and last day of the range, both inclusive. None means that this end is open.
    late : tuple of date
        Days outside the range that are processed again; see `segue.corpus.inventory.late_days`.

    Raises
    ------
    CorpusError
        If the range ends before it begins.
    """

    first: date | None = None
    last: date | None = None
    late: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a range that ends before it begins."""
        if self.first and self.last and self.first > self.last:
            raise CorpusError(f"The range of days ends ({self.last}) before it begins ({self.first}). Swap them.")

    def __str__(self) -> str:
        """Name the days, for logs."""
        return f"{self._range} and {len(self.late):,} late ones" if self.late else self._range

    @property
    def _range(self) -> str:
        if self.first is None and self.last is None:
            return "all days"
        if self.first == self.last:
            return str(self.first)
        return f"{self.first or 'the first day'} to {self.last or 'the last day'}"

    @property
    def condition(self) -> Column:
        """Condition that is true for rows of these days."""
        low = sf.lit(True) if self.first is None else sf.col(PARTITION) >= sf.lit(self.first)
        within = low if self.last is None else low & (sf.col(PARTITION) <= sf.lit(self.last))
        return within | sf.col(PARTITION).isin(list(self.late)) if self.late else within

    def __contains__(self, day: date) -> bool:
        """Return whether a day is meant."""
        within = (self.first is None or day >= self.first) and (self.last is None or day <= self.last)
        return within or day in self.late

    def among(self, *tables: Iterable[date]) -> list[date]:
        """List the days of the range that occur in any of the tables, in order.

        Parameters
        ----------
        *tables : iterable of date
            Days of the tables, such as `segue.corpus.questions.rows_by_day` returns.
        """
        return sorted(day for day in {*chain.from_iterable(tables)} if day in self)


def parser(description: str | None) -> ArgumentParser:
    """Create the parser of a job that works on a range of days.

    Parameters
    ----------
    description : str
        What the job does.

    Returns
    -------
    ArgumentParser
        With ``--run-id``, ``--from`` and ``--to``.
    """
    made = ArgumentParser(description=description)
    made.add_argument("--run-id", required=True, help="<dag_id>/<run_id> under which the report is kept")
    made.add_argument("--from", dest="first", type=date.fromisoformat, help="first day, YYYY-MM-DD; default all")
    made.add_argument("--to", dest="last", type=date.fromisoformat, help="last day (inclusive); default all")
    return made


def chosen(arguments: Namespace, inventory: InventoryReport | None) -> Days:
    """Return the days that a job works on.

    Parameters
    ----------
    arguments : argparse.Namespace
        Result of `parser`.
    inventory : InventoryReport or None
        Report with the late days. None if the run made no inventory; it then has no late days.

    Returns
    -------
    Days
    """
    return Days(arguments.first, arguments.last, inventory.late_days if inventory else ())
