from __future__ import annotations

import pytest

from segue.api.audioscrobbler.responses import LastfmError
from segue.api.audioscrobbler.scrobbles import scrobbles_in


def test_a_batch_is_sorted_by_its_numbers() -> None:
    parameters = {f"{name}[{i}]": f"{name} {i}" for i in (10, 2, 0) for name in ("artist", "track", "timestamp")}
    assert [each["artist"] for each in scrobbles_in({**parameters, "method": "track.scrobble", "sk": "k"})] == [
        "artist 0",
        "artist 2",
        "artist 10",
    ]


def test_a_single_one_needs_no_number() -> None:
    sent = {"artist": "Björk", "track": "Jóga", "timestamp": "1", "albumArtist": "Björk"}
    [found] = scrobbles_in({**sent, "api_key": "segue"})
    assert found.items() >= sent.items()


@pytest.mark.parametrize("count", [0, 51])
def test_none_and_too_many_are_refused(count: int) -> None:
    parameters = {f"artist[{i}]": "a" for i in range(count)}
    with pytest.raises(LastfmError, match="scrobble"):
        scrobbles_in({**parameters, "method": "track.scrobble"})
