"""The reports of the jobs `inventory` and `extract`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from pydantic import Field, computed_field

from segue.runs.summaries import Part, Report, fields_of


class LeftOut(Part):
    """What is in the music folder besides the files that were listed.

    Attributes
    ----------
    unreadable : tuple of str
        Folders that cannot be entered, each with the reason; at most `SHOWN_FOLDERS`.
    unreadable_folders : int
        Number of all such folders.
    held : int
        Known files that are out of reach: below such a folder, or links that lead nowhere. They stay as they are.
    by_suffix : dict of str to int
        Files that are no audio by their suffix; at most `SHOWN_SUFFIXES` suffixes, the most frequent.
    files : int
        Number of all such files.
    system_folders : int
        Folders such as ``lost+found``.
    """

    SHOWN_FOLDERS: ClassVar[int] = 20
    SHOWN_SUFFIXES: ClassVar[int] = 50

    unreadable: tuple[str, ...] = ()
    unreadable_folders: int = 0
    held: int = 0
    by_suffix: dict[str, int] = Field(default_factory=dict)
    files: int = 0
    system_folders: int = 0

    @property
    def warning(self) -> str:
        """One or two sentences about what is out of reach; empty if all is within reach."""
        folders, held = "", ""
        if self.unreadable_folders:
            more = "; …" if self.unreadable_folders > len(self.unreadable) else ""
            listed = "; ".join(self.unreadable) + more
            folders = f"{self.unreadable_folders:,} folders or links cannot be entered ({listed}). "
        if self.held:
            held = f"{self.held:,} known files are out of reach and stay as they are."
        return (folders + held).strip()


class Sheets(Part):
    """The CUE sheets in the music folder.

    Attributes
    ----------
    files, tracks : int
        Files that were divided, and their tracks.
    bad : tuple of str
        Sheets that were not used, each with the reason; at most `SHOWN`.
    not_used : int
        Number of all such sheets.
    """

    SHOWN: ClassVar[int] = 20

    files: int = 0
    tracks: int = 0
    bad: tuple[str, ...] = ()
    not_used: int = 0

    @property
    def warning(self) -> str:
        """One sentence about the sheets that were not used; empty if there are none."""
        if not self.not_used:
            return ""
        more = "; …" if self.not_used > len(self.bad) else ""
        listed = "; ".join(self.bad) + more
        return f"{self.not_used:,} CUE sheets are not used, so their files are one track each ({listed})."


class Comparison(Part):
    """The music folder and the metadata, compared with the inventory so far.

    Attributes
    ----------
    files : int
    size_mb : float
        Size of all files, megabytes.
    partitions : int
        Days on which these files entered the corpus.
    new, gone : int
        Tracks that the inventory did not have, and tracks without a file now.
    changed : int
        Files that are not as the inventory has them, or whose track id has changed, at the same path.
    moved : int
        Known tracks whose file has another path now, or is back.
    retagged : int
        Known tracks whose file has other bytes and the same audio.
    hashed : int
        Files that were read and hashed, to recognise them.
    with_metadata : int
        Files that a row of the metadata names.
    metadata : dict of str to int
        What the metadata held and what of it was left out; `rows_without_file` is among them.
    files_digest, metadata_digest : str
        `segue.corpus.listing.digest`, and that of `segue.corpus.metadata.Metadata`.
    left_out : LeftOut
    sheets : Sheets
    latest_day : date or None
        Latest day of a file, now or before. None without files.
    """

    files: int
    size_mb: float
    partitions: int
    new: int
    gone: int
    changed: int
    moved: int = 0
    retagged: int = 0
    hashed: int = 0
    with_metadata: int
    metadata: dict[str, int]
    files_digest: str
    metadata_digest: str
    left_out: LeftOut = LeftOut()
    sheets: Sheets = Sheets()
    latest_day: date | None = None


class InventoryReport(Report):
    """What the job `inventory` has found.

    Attributes
    ----------
    music, source : str
        Where the files are, and where their metadata come from.
    found : Comparison
    metadata_warning : str
        Says that the metadata fit the files badly, if they do.
    late_days : tuple of date
        Earlier days that the nightly run processes again.
    """

    JOB: ClassVar[str] = "inventory"

    music: str
    source: str
    found: Comparison
    metadata_warning: str = ""
    late_days: tuple[date, ...]

    def sentence(self) -> str:
        """Return what has changed in the music folder."""
        found = self.found
        return (
            f"{found.files:,} files on {found.partitions:,} days: {found.new:,} new, {found.changed:,} changed, "
            f"{found.gone:,} gone. The lake's table `inventory` lists them."
        )

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert version 0, whose figures were not grouped into parts."""
        found = {**document, "size_mb": document.get("megabytes") or 0.0}
        return {
            **fields_of(cls, document),
            "found": fields_of(Comparison, found),
            "late_days": document.get("late_days", []),
        }


class PingReport(Report):
    """What the job `extract` would do; it has done nothing.

    Attributes
    ----------
    partitions : int
        Days that were looked at.
    would_extract : int
        Files that are new or changed.
    """

    JOB: ClassVar[str] = "ping"

    version: int = 2
    partitions: int
    would_extract: int

    def sentence(self) -> str:
        """Return what a run would extract."""
        return f"{self.would_extract:,} files on {self.partitions:,} days would be extracted. Nothing was done."

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0 and 1, which counted touched files, too."""
        return fields_of(cls, document)


class Work(Part):
    """What an extraction has done itself; all is 0 where it found everything done.

    Attributes
    ----------
    extracted : int
        Files.
    tags_read_again : int
        Files whose tags an older version had read.
    extracted_again : int
        Files of tasks that ran again, because a machine was lost or a task failed.
    extracted_mb : float
        Size of the files that were extracted, megabytes.
    extracting_s : float
        Wall time of the extraction alone, seconds.
    cores_s : float
        The same for all cores together, core-seconds.
    working_s : float
        What of this time the workers have spent with files. The rest is the start of the workers, waiting, and the
        commits of other parts, core-seconds.
    seconds : float
        Wall time of the job, seconds.
    """

    extracted: int = 0
    tags_read_again: int = 0
    extracted_again: int = 0
    extracted_mb: float = 0.0
    extracting_s: float = 0.0
    cores_s: float = 0.0
    working_s: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        """Add up field by field."""
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in Work.model_fields})

    @computed_field  # type: ignore[prop-decorator] # mypy does not know properties below a decorator
    @property
    def tracks_per_s(self) -> float:
        """Files extracted in a second; 0 where there were none."""
        return self.extracted / self.extracting_s if self.extracting_s else 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cores_busy(self) -> float:
        """Share of the cores that extracted files; 0 where there were none."""
        return self.working_s / self.cores_s if self.cores_s else 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def mb_per_s(self) -> float:
        """Megabytes extracted in a second; 0 where there were none."""
        return self.extracted_mb / self.extracting_s if self.extracting_s else 0.0


class Outcomes(Part):
    """How the files of some days stand in the lake.

    Attributes
    ----------
    files, features, rejects : int
        Rows of the inventory and of the tables of outcomes.
    rejected : dict of str to int
        Rows of `rejects` by reason.
    """

    files: int
    features: int
    rejects: int
    rejected: dict[str, int]


class LakeVersions(Part):
    """The last commit of each table that the integrated dataset is made from; -1 where there is no table."""

    inventory: int
    features: int
    rejects: int


class ExtractReport(Report):
    """What the job `extract` has done, and how the files of its days stand after it.

    Attributes
    ----------
    mode : str
        A value of `segue.corpus.plan.Mode`.
    days : str
        Name of the days.
    partitions : int
        Days that have files.
    lake : LakeVersions
        After the extraction.
    outcomes : Outcomes
    to_retry : int
        Files that the next run tries again although they have not changed, such as those without permission.
    work : Work
    """

    JOB: ClassVar[str] = "extract"

    version: int = 2
    mode: str
    days: str
    partitions: int
    lake: LakeVersions
    outcomes: Outcomes
    to_retry: int
    work: Work

    @computed_field  # type: ignore[prop-decorator]
    @property
    def skipped(self) -> int:
        """Files that were done before."""
        return max(self.outcomes.files - self.work.extracted, 0)

    def sentence(self) -> str:
        """Return how many files have features, and how many were rejected."""
        outcomes = self.outcomes
        return (
            f"{outcomes.features:,} of {outcomes.files:,} files have features; {self.work.extracted:,} were "
            f"extracted now. {outcomes.rejects:,} files are rejected, and the lake's table `rejects` says why."
        )

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert version 0, whose figures were not grouped into parts, and version 1, which had more figures."""
        if document.get("version", 0) == 1:
            return {**document, "work": fields_of(Work, document["work"])}
        extracting_s = document["seconds_extracting"]
        work = {
            **document,
            "extracting_s": extracting_s,
            "extracted_mb": document["megabytes_per_s"] * extracting_s,
        }
        return {
            **fields_of(cls, document),
            "outcomes": fields_of(Outcomes, {**document, "files": document["inventory"]}),
            "work": fields_of(Work, work),
        }
