"""The quality gate between cleaning and publishing: what a partition must look like.

It reads the report of `segue.corpus.integrate` and needs no Spark. Thresholds that are a matter of
taste are settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.corpus import drift
from segue.errors import QualityGateError
from segue.settings import Settings

MIN_FILES = 5
"""Shares of fewer files say little: one bad file of two is half of them."""

MIN_DURATION_S = 1.0

FILES = "files, of those at the extraction"


@dataclass(frozen=True)
class Check:
    """One demand on a partition.

    Attributes
    ----------
    name : str
        What is measured.
    value : float
    low, high : float
        Bounds, inclusive.
    setting : str
        Name of the setting that is one of the bounds; empty where none is.
    """

    name: str
    value: float
    low: float
    high: float
    setting: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value is within the bounds; a NaN is not."""
        return self.low <= self.value <= self.high

    @property
    def remedy(self) -> str:
        """How the setting would let the value pass; empty where there is no setting."""
        if not self.setting or math.isnan(self.value):
            return ""
        outwards = math.ceil if self.value > self.high else math.floor
        return f"SEGUE_{self.setting.upper()}={outwards(self.value * 100) / 100:g}"


def judge(report: Mapping[str, Any], reference: Mapping[str, Any] | None, limits: Settings) -> list[Check]:
    """Measure a partition.

    Parameters
    ----------
    report : mapping
        What `segue.corpus.integrate.run` returned; in a DAG run also `extracted_from`: files of the inventory
        when their features were extracted.
    reference : mapping or None
        The same of the last good run; without one, drift is not checked.
    limits : Settings
        Those that begin with ``gate_``.

    Returns
    -------
    list of Check
        Empty for a partition with nothing in it.
    """
    files, tracks = report["inventory"], report["tracks"]
    expected = report.get("extracted_from", files)
    if files == tracks == expected == 0:
        return []
    checks = [
        # Else a lake that went away meanwhile would look like days with nothing in them.
        _exactly(FILES, files, expected),
        _exactly("features + rejects, of files", report["features"] + report["rejects"], files),
        _exactly("tracks, of features", tracks, report["features"]),
        _exactly("different track ids", report["distinct_tracks"], tracks),
        Check("tracks", tracks, 1, float("inf")),
        _exactly("tracks without 518 finite features", report["bad_vectors"], 0),
        _exactly("tracks without a title", report["null"]["title"], 0),
    ]
    if tracks:
        checks += [
            Check("shortest track, seconds", report["shortest_s"], MIN_DURATION_S, limits.audio_max_duration_s),
            Check("longest track, seconds", report["longest_s"], MIN_DURATION_S, limits.audio_max_duration_s),
        ]
    if files >= MIN_FILES:
        checks += [
            _at_most("share of files rejected", report["rejects"] / files, "gate_max_rejected", limits),
            _at_most("share of duplicates", _share(report, "duplicate"), "gate_max_duplicates", limits),
            _at_most("share of outliers", _share(report, "outlier"), "gate_max_outliers", limits),
            Check(
                "share of tracks with a genre",
                _share_labelled(report),
                limits.gate_min_labelled,
                1,
                "gate_min_labelled",
            ),
        ]
    checks += _judge_days(report, limits)
    if reference:
        genres = drift.compare_genres(report, reference)
        if genres:
            named = {"share of the genres that vanished": "vanished", "largest rise of a genre's share": "risen"}
            checks += [_at_most(name, genres[key], "gate_max_genre_shift", limits) for name, key in named.items()]
        far = drift.measure(report, reference)
        for name, distance in far["drift"].items():
            checks.append(_at_most(f"drift of {name}", distance, "gate_max_drift", limits))
        for name, rise in far["null_rise"].items():
            checks.append(_at_most(f"rise of tracks without {name}", rise, "gate_max_null_rise", limits, low=-1))
    return checks


def table(checks: Sequence[Check]) -> str:
    """Lay checks out as text, what failed first."""
    lines = [f"{'':<4}  {'check':<36} {'value':>10}  allowed"]
    for check in sorted(checks, key=lambda check: check.passed):
        allowed = f"{check.low:g}" if check.low == check.high else f"{check.low:g} to {check.high:g}"
        lines.append(f"{'ok' if check.passed else 'FAIL':<4}  {check.name:<36} {check.value:>10.4g}  {allowed}")
    return "\n".join(lines)


def require(checks: Sequence[Check]) -> None:
    """Insist that all checks have passed.

    Parameters
    ----------
    checks : sequence of Check

    Raises
    ------
    QualityGateError
        With the table of the checks that failed.
    """
    failed = [check for check in checks if not check.passed]
    if any(check.name == FILES for check in failed):
        raise QualityGateError(
            f"The inventory is not that of the extraction, so nothing was published:\n{table(failed)}\n"
            "Another run has changed it since, or the lake was away. Clear the task `inventory` with all that "
            "follows it; these days are in the collection `quarantine` until then."
        )
    if failed:
        remedies = sorted({check.remedy for check in failed} - {""})
        meant = f", or, if the music is meant to be so, set {' and '.join(remedies)}" if remedies else ""
        raise QualityGateError(
            f"{len(failed)} of {len(checks)} checks failed, so nothing was published:\n{table(failed)}\n"
            "These days are in the collection `quarantine` until they pass. Rejected files and their reasons are "
            f"in the lake's table `rejects`; mend the files or the metadata{meant}. Then run these days again."
        )


def _judge_days(report: Mapping[str, Any], limits: Settings) -> list[Check]:
    """Judge the days of a run of several one by one: a bad one among thirty must not be averaged away."""
    days = report["days"]
    if len(days) < 2:
        return []
    odd = sum(not day["inventory"] - day["rejects"] == day["features"] == day["tracks"] for day in days.values())
    shares = {
        name: day["rejects"] / day["inventory"] for name, day in days.items() if day["inventory"] >= MIN_FILES
    }
    worst = max(shares, key=shares.__getitem__, default=None)
    shown = [name for name, share in shares.items() if share > limits.gate_max_rejected or name == worst]
    return [
        _exactly("days whose counts do not add up", odd, 0),
        *(_at_most(f"rejected on {name}", shares[name], "gate_max_rejected", limits) for name in shown),
    ]


def _exactly(name: str, value: float, wanted: float) -> Check:
    return Check(name, value, wanted, wanted)


def _at_most(name: str, value: float, setting: str, limits: Settings, low: float = 0) -> Check:
    return Check(name, value, low, getattr(limits, setting), setting)


def _share_labelled(report: Mapping[str, Any]) -> float:
    return float(1 - report["null"]["genre"] / report["tracks"]) if report["tracks"] else 1.0


def _share(report: Mapping[str, Any], kind: str) -> float:
    return float(report["flagged"][kind] / report["tracks"]) if report["tracks"] else 0.0
