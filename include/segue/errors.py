"""The errors that Segue raises on purpose. Each message says what happened, where, and what to do.

The class decides what a task does. After an error whose `retry_may_help` is True, the task is retried. After any
other error, it fails at once.
"""

from __future__ import annotations

from typing import ClassVar


class SegueError(Exception):
    """Base class of these errors. The command line prints its message without a traceback and exits with 1."""

    retry_may_help: ClassVar[bool] = False


class ConfigurationError(SegueError):
    """A setting has a value that cannot work."""


class PrerequisiteError(SegueError):
    """The machine lacks something, such as Java. The message names the command that installs it."""


class StackError(SegueError):
    """An embedded service cannot be started or stopped, or does not do its work. The message names its log."""


class ServiceUnavailableError(SegueError):
    """A service does not answer or refuses a request: Kafka, MongoDB, MLflow or an object store."""

    retry_may_help = True


class FullDiskError(SegueError):
    """A disk is almost full, so a job does not begin. The message names the folder."""

    retry_may_help = True


class BackupError(SegueError):
    """A backup cannot be made or restored. The message names the folder and the reason."""


class ExportError(SegueError):
    """A dataset cannot be written. The message names the folder and the reason."""


class CorpusError(SegueError):
    """The corpus cannot be processed: there is no such folder, it holds no audio, or metadata are unreadable."""


class CorpusChangedError(CorpusError):
    """Audio files changed while the job that reads them ran. The next attempt reads them as they are then."""

    retry_may_help = True


class LakeError(SegueError):
    """A table of the lake is damaged. The message names the file and the repair."""


class QualityGateError(SegueError):
    """The days of a run do not pass the quality gate. The message is the table of the checks that failed."""


class TrainingError(SegueError):
    """A model cannot be trained from the available data. An example: no track has a genre."""


class NothingToLearnError(TrainingError):
    """The corpus has too few genres or tracks to learn from. This is no fault, so the training is skipped."""


class ExtractionError(SegueError):
    """Audio cannot be extracted at all on this machine. The message ends with the output of the extraction."""


class ModelError(SegueError):
    """A stored model is missing, damaged or of another version, and cannot serve. The message names its folder."""


class ReportError(SegueError):
    """The report of a run is missing, or too large for a document."""


class PlaylistError(SegueError):
    """A playlist cannot be made as requested, such as from a track that is not published."""
