"""What a run of the DAG `corpus` came to, from the summaries of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.errors import CorpusError
from segue.runs.summaries import Summary


def outcome(jobs: Mapping[str, Summary]) -> dict[str, Any]:
    """Put the figures of a run together.

    Parameters
    ----------
    jobs : mapping of str to dict
        Summary by job: `inventory` and `extract`, and unless the run was a ping, `integrate` and `publish`: those
        of an earlier run, which `publish` names as `unchanged_since`, if nothing has changed.

    Returns
    -------
    dict
        `files_in`, `tracks_out`, `rejected` by reason, `tracks_per_s`, where the results are, and `note`: what a
        reader should know besides.

    Raises
    ------
    CorpusError
        If there were files and no track was published.
    """
    extract = jobs["extract"]
    if extract["mode"] == "ping":
        return {"would_extract": extract["would_extract"], "note": "A ping: nothing was extracted or published."}
    integrate, publish = jobs["integrate"], jobs["publish"]
    if extract["inventory"] and not publish["published"]:
        raise CorpusError(
            f"Of {extract['inventory']:,} files no track was published; rejected: {extract['rejected']}. "
            "See the logs of the tasks extract and quality_gate."
        )
    return {
        "partitions": extract["partitions"],
        "files_in": extract["inventory"],
        "tracks_out": publish["published"],
        "rejects": extract["rejects"],
        "rejected": extract["rejected"],
        "duplicates": integrate["flagged"]["duplicate"],
        "outliers": integrate["flagged"]["outlier"],
        "genres": integrate["genres"],
        "extracted": extract["extracted"],
        "tracks_per_s": extract["tracks_per_s"],
        "collection": publish["collection"],
        "tracks_in_collection": publish["tracks_in_collection"],
        "note": _note(extract, integrate, publish.get("unchanged_since")),
    }


def _note(extract: Summary, integrate: Summary, unchanged_since: str | None) -> str:
    if not extract["inventory"]:
        return "No file entered the corpus on these days, so there was nothing to do."
    if integrate["null"]["genre"] == integrate["tracks"]:
        return (
            "No track has a genre. Tag the files or add a metadata.csv: the genre model cannot learn from these."
        )
    if unchanged_since:
        return f"Nothing has changed since {unchanged_since}, so what it published stands."
    return "none"
