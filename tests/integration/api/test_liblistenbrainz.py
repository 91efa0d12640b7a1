"""ListenBrainz's own client library, unmodified, with nothing changed but the URL."""

from __future__ import annotations

import time
import uuid

import pytest
from liblistenbrainz import Listen, ListenBrainz
from liblistenbrainz.errors import InvalidAuthTokenException, ListenBrainzAPIException
from tests.support.api_server import eventually, in_kafka

from segue.settings import Settings

pytestmark = pytest.mark.integration

MBID = "98255a8c-017a-4bc7-8dd6-1fa36124572b"


@pytest.fixture
def brainz(api: str, new_user: tuple[str, str]) -> ListenBrainz:
    made = ListenBrainz(api_base_url=api)
    made.set_auth_token(new_user[1])
    return made


def a_listen(listened_at: int | None = None, track_name: str = "Never Gonna Give You Up") -> Listen:
    return Listen(
        track_name=track_name,
        artist_name="Rick Astley",
        release_name="Whenever You Need Somebody",
        listened_at=listened_at,
        recording_mbid=MBID,
        tags=["pop", "80s"],
        listening_from="a record player",
        additional_info={"submission_client": "the test", "$where": "1", "a.b": {"$gt": ""}},
    )


def test_single_listen_is_in_kafka_and_among_the_users_listens(
    brainz: ListenBrainz, new_user: tuple[str, str], api_settings: Settings
) -> None:
    now = int(time.time())
    assert brainz.submit_single_listen(a_listen(now)) == {"status": "ok"}
    [event] = in_kafka(api_settings, new_user[0])
    assert (event.listened_at, event.track_id, event.matched_by) == (now, "t1", "name")
    [shown] = eventually(lambda: brainz.get_listens(new_user[0]))
    assert (shown.track_name, shown.artist_name, shown.listened_at) == (
        "Never Gonna Give You Up",
        "Rick Astley",
        now,
    )
    assert shown.additional_info["a.b"] == {"$gt": ""}
    assert shown.recording_mbid == MBID


def test_import_pages_through_max_ts_and_min_ts(brainz: ListenBrainz, new_user: tuple[str, str]) -> None:
    start = 1_700_000_000
    listens = [a_listen(start + 200 * i, f"Track {i}") for i in range(150)]
    brainz.submit_multiple_listens(listens[:100])
    brainz.submit_multiple_listens(listens[100:])
    eventually(lambda: brainz.get_user_listen_count(new_user[0]) == 150)
    newest = brainz.get_listens(new_user[0])
    assert [listen.track_name for listen in newest] == [f"Track {i}" for i in range(149, 124, -1)]
    older = brainz.get_listens(new_user[0], max_ts=newest[-1].listened_at, count=100)
    assert [listen.track_name for listen in older] == [f"Track {i}" for i in range(124, 24, -1)]
    after = brainz.get_listens(new_user[0], min_ts=start, count=3)
    assert [listen.track_name for listen in after] == ["Track 3", "Track 2", "Track 1"]


def test_the_same_listen_twice_counts_once(brainz: ListenBrainz, new_user: tuple[str, str]) -> None:
    for _ in range(2):
        brainz.submit_multiple_listens([a_listen(1_700_000_000), a_listen(1_700_000_000)])
    brainz.submit_single_listen(a_listen(1_700_000_300))
    eventually(lambda: len(brainz.get_listens(new_user[0], count=100)) == 2)
    assert brainz.get_user_listen_count(new_user[0]) == 2


def test_playing_now_shows_what_plays(brainz: ListenBrainz, new_user: tuple[str, str]) -> None:
    assert brainz.get_playing_now(new_user[0]) is None
    brainz.submit_playing_now(a_listen())
    playing = brainz.get_playing_now(new_user[0])
    assert (playing.track_name, playing.listened_at) == ("Never Gonna Give You Up", None)


def test_deleted_listen_is_gone_and_can_be_submitted_again(
    brainz: ListenBrainz, new_user: tuple[str, str]
) -> None:
    brainz.submit_single_listen(a_listen(1_700_000_000))
    [shown] = eventually(lambda: brainz.get_listens(new_user[0]))
    brainz.delete_listen(shown)
    assert brainz.get_listens(new_user[0]) == []
    brainz.submit_single_listen(a_listen(1_700_000_000))
    assert eventually(lambda: brainz.get_listens(new_user[0]))


def test_feedback_by_mbid_replaces_and_takes_back(brainz: ListenBrainz, new_user: tuple[str, str]) -> None:
    brainz.submit_user_feedback(1, MBID)
    brainz.submit_user_feedback(-1, MBID)
    other = str(uuid.uuid4())
    brainz.submit_user_feedback(1, other)
    told = brainz.get_user_feedback(new_user[0], score=None, metadata=None)
    assert [(item["recording_mbid"], item["score"]) for item in told["feedback"]] == [(other, 1), (MBID, -1)]
    brainz.submit_user_feedback(0, MBID)
    assert brainz.get_user_feedback(new_user[0], score=-1, metadata=None)["total_count"] == 0


def test_wrong_token_is_refused(api: str) -> None:
    with pytest.raises(InvalidAuthTokenException):
        ListenBrainz(api_base_url=api).set_auth_token(str(uuid.uuid4()))


def test_unknown_user_is_not_found(brainz: ListenBrainz) -> None:
    with pytest.raises(ListenBrainzAPIException) as refusal:
        brainz.get_listens("nobody")
    assert (refusal.value.status_code, refusal.value.message) == (404, "Cannot find user: nobody")
