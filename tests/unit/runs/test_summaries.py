from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import pytest

from segue.errors import ReportError
from segue.runs.summaries import Part, Report, render


class Speed(Part):
    per_s: float = 0.0


class Example(Report):
    """Its version 1 had no unit in the name of the speed; version 0 had no version."""

    JOB: ClassVar[str] = "example"

    version: int = 2
    tracks: int
    speed: Speed
    days: tuple[date, ...] = ()

    @classmethod
    def migrate(cls, document: Any) -> dict[str, Any]:
        return {"tracks": document["tracks"], "speed": {"per_s": document["speed"]}}


def test_what_was_written_is_read():
    written = Example(tracks=3, speed=Speed(per_s=0.5), days=(date(2026, 3, 1),))
    document = written.to_document()
    assert document == {"version": 2, "tracks": 3, "speed": {"per_s": 0.5}, "days": ["2026-03-01"]}
    assert Example.of_document(document) == written


def test_numbers_that_json_does_not_have_are_kept():
    document = Example(tracks=0, speed=Speed(per_s=float("inf"))).to_document()
    assert Example.of_document(document).speed.per_s == float("inf")


@pytest.mark.parametrize("version", [{}, {"version": 1}])
def test_what_an_older_version_wrote_is_read(version):
    assert Example.of_document({"tracks": 3, "speed": 0.5} | version) == Example(tracks=3, speed=Speed(per_s=0.5))


def test_what_a_newer_version_wrote_is_refused_with_what_to_do():
    with pytest.raises(ReportError, match=r"by a newer version of Segue \(its version is 3, .* up to 2\)"):
        Example.of_document({"version": 3, "tracks": 3, "pace": {}})


def test_what_is_no_report_is_refused_with_the_field():
    with pytest.raises(ReportError, match=r"'example' cannot be read: tracks: .*valid integer.*Run its DAG again"):
        Example.of_document({"version": 2, "tracks": "many", "speed": {}})


def test_a_key_that_no_field_has_is_refused():
    with pytest.raises(ValueError, match="trakcs"):
        Example(tracks=1, speed=Speed(), trakcs=2)


def test_a_log_shows_nested_figures_by_dotted_names_and_no_version():
    shown = render("example", Example(tracks=1_200, speed=Speed(per_s=5.128), days=(date(2026, 3, 1),)))
    assert shown.splitlines() == [
        "== example ==",
        "tracks .................... 1,200",
        "speed.per_s ............... 5.13",
        "days ...................... 2026-03-01",
    ]
