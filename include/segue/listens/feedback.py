"""Feedback: the latest score of each user for each recording. Kafka also has the earlier scores."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pymongo import DESCENDING, ReplaceOne
from pymongo.database import Database

COLLECTION = "feedback"


class Feedback(BaseModel):
    """The event of the topic ``feedback``: a user loves or hates a recording.

    Version 2 has the names of the recording, if they were known at the time.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1, 2] = 2
    user_name: str
    recording_mbid: str | None = None
    recording_msid: str | None = None
    score: Literal[-1, 0, 1] = Field(description="1 is love, -1 is hate, 0 withdraws the earlier score.")
    artist_name: str | None = None
    track_name: str | None = None
    release_name: str | None = None
    created: float = Field(default_factory=time.time, description="In seconds since 1970.")

    @property
    def ids(self) -> set[str]:
        """The known ids of the recording: MBID, MSID or both."""
        return {known for known in (self.recording_mbid, self.recording_msid) if known}

    @property
    def key(self) -> str:
        """Key of the stored feedback that this feedback replaces."""
        return f"{self.user_name}/{self.recording_mbid or ''}/{'' if self.recording_mbid else self.recording_msid}"


class FeedbackStore:
    """The collection ``feedback``.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._feedback = database[COLLECTION]

    def create_indexes(self) -> None:
        """Create the index for the feedback of one user."""
        self._feedback.create_index("user_name")

    def put(self, feedback: Feedback) -> None:
        """Replace the user's earlier feedback for the recording, under either id. A score of 0 deletes it."""
        earlier = [each.key for each in self.of_recordings(feedback.user_name, feedback.ids)]
        if feedback.score != 0:
            document = {"_id": feedback.key, **feedback.model_dump()}
            self._feedback.replace_one({"_id": feedback.key}, document, upsert=True)
        gone = [key for key in earlier if feedback.score == 0 or key != feedback.key]
        if gone:
            self._feedback.delete_many({"_id": {"$in": gone}})

    def name(self, feedback: Iterable[Feedback]) -> None:
        """Replace stored feedback of version 1 by feedback of version 2."""
        changes = [ReplaceOne({"_id": each.key}, {"_id": each.key, **each.model_dump()}) for each in feedback]
        if changes:
            self._feedback.bulk_write(changes, ordered=False)

    def of_recordings(self, user_name: str, recordings: Collection[str]) -> list[Feedback]:
        """Return the feedback of a user for recordings, given their MSIDs or MBIDs."""
        wanted = {"$in": sorted(recordings)}
        found = {
            document["_id"]: Feedback(**document)
            for name in ("recording_mbid", "recording_msid")
            for document in self._feedback.find({"user_name": user_name, name: wanted})
        }
        return list(found.values())

    def of_user(self, user_name: str, score: int | None, count: int, offset: int) -> tuple[int, list[Feedback]]:
        """Return the number of a user's feedback entries, and `count` of them from `offset` on, newest first."""
        query: dict[str, Any] = {"user_name": user_name} | ({"score": score} if score else {})
        found = self._feedback.find(query).sort([("created", DESCENDING)]).skip(offset).limit(count)
        return self._feedback.count_documents(query), [Feedback(**document) for document in found] if count else []

    def remove_user(self, user_name: str) -> int:
        """Delete the feedback of a user, and return the number of entries."""
        return self._feedback.delete_many({"user_name": user_name}).deleted_count
