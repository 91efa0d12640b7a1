"""The reports of the jobs of the DAG `corpus`. `segue.runs.summaries` writes and reads these models.

Version 0 is the format of November 2026, when reports had no types. The methods `migrate` convert its documents to
the current format.
"""

from __future__ import annotations

from segue.corpus.reports.files import (
    Comparison,
    ExtractReport,
    InventoryReport,
    LakeVersions,
    LeftOut,
    Outcomes,
    PingReport,
    Sheets,
    Work,
)
from segue.corpus.reports.run import (
    AheadReport,
    CorpusReports,
    CorpusSummary,
    Published,
    PublishReport,
)
from segue.corpus.reports.tracks import (
    NO_GENRE,
    CheckedFigure,
    CleaningReport,
    DayCounts,
    GateReport,
    Measured,
)

__all__ = [
    "NO_GENRE",
    "AheadReport",
    "CheckedFigure",
    "CleaningReport",
    "Comparison",
    "CorpusReports",
    "CorpusSummary",
    "DayCounts",
    "ExtractReport",
    "GateReport",
    "InventoryReport",
    "LakeVersions",
    "LeftOut",
    "Measured",
    "Outcomes",
    "PingReport",
    "PublishReport",
    "Published",
    "Sheets",
    "Work",
]
