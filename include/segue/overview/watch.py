"""What has changed since people were last told, so that nobody is told the same thing every 15 minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.overview.verdict import Finding

Told = Mapping[str, int]
"""The size of each finding that people know of, by its kind."""


@dataclass(frozen=True)
class News:
    """What to tell.

    Attributes
    ----------
    worse : sequence of Finding
        Findings that are new or have grown.
    over : sequence of str
        Kinds of findings that are gone.
    told : mapping of str to int
        What people know once they have been told this.
    """

    worse: Sequence[Finding]
    over: Sequence[str]
    told: Told

    @property
    def title(self) -> str:
        """One line, such as the subject of a mail. Empty if there is nothing to tell."""
        if self.worse:
            return f"Segue: {', '.join(finding.kind for finding in self.worse)}"
        return f"Segue: over: {', '.join(self.over)}" if self.over else ""

    @property
    def text(self) -> str:
        """A line for each finding."""
        gone = [f"Over: {kind}." for kind in self.over]
        return "\n".join([*(finding.sentence for finding in self.worse), *gone])


def news(found: Sequence[Finding], told: Told, *, complete: bool = True) -> News:
    """Compare what is found with what people know.

    Parameters
    ----------
    found : sequence of Finding
        Those without `alert` are left out.
    told : mapping of str to int
        `News.told` of the last time.
    complete : bool
        Whether every part of the state could be read. If not, what is missing may be hidden, and is not over.
    """
    sizes = {finding.kind: finding.size for finding in found if finding.alert}
    gone = {kind: size for kind, size in told.items() if kind not in sizes}
    return News(
        worse=[finding for finding in found if finding.alert and finding.size > told.get(finding.kind, 0)],
        over=list(gone) if complete else [],
        told=sizes if complete else gone | sizes,
    )
