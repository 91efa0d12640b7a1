"""The errors that Segue raises on purpose. Each message says what happened, where, and what to do."""

from __future__ import annotations


class SegueError(Exception):
    """Base of all: the command line prints its message without a traceback and exits with 1."""


class ConfigurationError(SegueError):
    """A setting has a value that cannot work."""


class PrerequisiteError(SegueError):
    """The machine lacks something, such as Java; the message names the command that installs it."""


class StackError(SegueError):
    """An embedded service could not be started, stopped or reached; the message names its log file."""


class CorpusError(SegueError):
    """The corpus cannot be worked with: no such folder, no audio in it, metadata unreadable."""


class QualityGateError(SegueError):
    """A partition does not meet the quality gate; the message is the table of what failed."""


class TrainingError(SegueError):
    """A model cannot be trained from what there is, such as tracks without a genre."""


class NothingToLearnError(TrainingError):
    """The corpus has too few genres or tracks to learn from, as it may well have; the training is skipped."""


class ExtractionError(SegueError):
    """Audio cannot be extracted at all on this machine; the message ends with what the extraction printed."""


class ModelError(SegueError):
    """A stored model cannot serve: missing, damaged or of another version; the message names its folder."""


class ReportError(SegueError):
    """The report of a run cannot be kept, as it is too large for a document."""
