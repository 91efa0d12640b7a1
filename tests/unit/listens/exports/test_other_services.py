from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segue.listens.exports.lines import ImportFileError, Line
from segue.listens.exports.self_hosted import koito, maloja
from segue.listens.exports.spotify import spotify
from segue.listens.matching import TrackIndex
from segue.listens.plays import Play, event_of

Reader = Callable[[Path], Iterator[Line]]
META = "master_metadata"


def streamed(track: str | None, **fields: object) -> dict[str, object]:
    return {
        "ts": "2023-11-14T22:15:00Z",
        "ms_played": 100_000,
        f"{META}_track_name": track,
        f"{META}_album_artist_name": "Björk",
        f"{META}_album_album_name": "Homogenic",
        "spotify_track_uri": "spotify:track:3aJ2aJz5xL03hpaqdPS7Ah",
        "episode_name": None,
        "skipped": False,
    } | fields


def read(tmp_path: Path, reader: Reader, content: object) -> list[Line]:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(content))
    return list(reader(path))


def test_spotify_tells_when_a_play_ended_and_how_long_it_was(tmp_path: Path) -> None:
    history = [
        streamed("Jóga"),
        streamed("Hunter", ms_played=1_603, skipped=True),
        streamed(None, episode_name="A podcast"),
        streamed("Bachelorette", ms_played=None),
        streamed("Unravel", ms_played=0),
    ]
    good, skip, *others = read(tmp_path, spotify, history)
    link = "https://open.spotify.com/track/3aJ2aJz5xL03hpaqdPS7Ah"
    info = {"ms_played": 100_000, "spotify_id": link}
    assert good == Line(1, Play(1_700_000_000, "Björk", "Jóga", "Homogenic", info))
    skipped = {"ms_played": 1_603, "spotify_id": link}
    assert skip == Line(2, Play(1_700_000_099, "Björk", "Hunter", "Homogenic", skipped))
    assert event_of("u", skip.play, TrackIndex([])).skipped is True
    podcast, unknown, silent = others
    assert (podcast.wrong, silent.wrong) == ("a podcast or an audiobook", "a song of which nothing was played")
    assert (unknown.play, bool(unknown.wrong)) == (None, True)


def test_spotify_s_short_history(tmp_path: Path) -> None:
    played = {"endTime": "2023-11-14 22:15", "artistName": "Björk", "trackName": "Jóga", "msPlayed": 100_000}
    [line] = read(tmp_path, spotify, [played])
    assert line.play == Play(1_700_000_000, "Björk", "Jóga", None, {"ms_played": 100_000})


def test_all_histories_of_spotify_s_zip_are_read(tmp_path: Path) -> None:
    path = tmp_path / "my_spotify_data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for year in (2022, 2023):
            name = f"Spotify Extended Streaming History/Streaming_History_Audio_{year}_1.json"
            archive.writestr(name, json.dumps([streamed(str(year))]))
        archive.writestr("Spotify Extended Streaming History/ReadMeFirst.pdf", "")
        archive.writestr("Spotify Account Data/Playlist1.json", "{}")
    assert [line.play and line.play.track_name for line in spotify(path)] == ["2022", "2023"]


def test_maloja(tmp_path: Path) -> None:
    track: dict[str, Any] = {"artists": ["Daft Punk", "Pharrell"], "title": "Get Lucky", "length": 248}
    album = {"album": {"artists": ["Daft Punk"], "albumtitle": "RAM"}}
    scrobbles = [
        {"time": 1_700_000_000, "track": track | album, "duration": 200, "origin": "client:x"},
        {"time": 1_700_000_300, "track": track | {"length": None, "album": None}, "duration": None},
        {"time": 1_700_000_600, "track": track | {"artists": []}},
    ]
    exported = {"maloja": {"export_time": 1_748_738_994}, "scrobbles": scrobbles}
    one, two, three = read(tmp_path, maloja, exported)
    info = {"duration_played": 200, "duration": 248}
    assert one.play == Play(1_700_000_000, "Daft Punk; Pharrell", "Get Lucky", "RAM", info)
    assert two.play == Play(1_700_000_300, "Daft Punk; Pharrell", "Get Lucky")
    assert three.wrong == "no artist or no title"


def test_koito(tmp_path: Path) -> None:
    def named(*aliases: str, **fields: object) -> dict[str, object]:
        listed = [{"alias": alias, "is_primary": alias == aliases[-1]} for alias in aliases]
        return {"aliases": listed, "mbid": None} | fields

    mbid = "98255a8c-017a-4bc7-8dd6-1fa36124572b"
    listen = {
        "listened_at": "2023-11-14T22:13:20Z",
        "client": "x",
        "track": named("Joga", "Jóga", mbid=mbid, duration=305),
        "album": named("Homogenic"),
        "artists": [named("Guest", is_primary=False), named("Bjork", "Björk", is_primary=True)],
    }
    exported = {"version": "1", "user": "anna", "listens": [listen, listen | {"track": named()}, None]}
    one, *others = read(tmp_path, koito, exported)
    info = {"recording_mbid": mbid, "duration": 305, "media_player": "x"}
    assert one.play == Play(1_700_000_000, "Björk; Guest", "Jóga", "Homogenic", info)
    assert [line.play for line in others] == [None, None]
    assert others[0].wrong == "no artist or no title"


@pytest.mark.parametrize(("reader", "service"), [(spotify, "Spotify"), (maloja, "Maloja"), (koito, "Koito")])
@pytest.mark.parametrize("content", ["", '{"listened": 1}', "artist,track"])
def test_files_of_another_kind_are_refused(tmp_path: Path, reader: Reader, service: str, content: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(content)
    with pytest.raises(ImportFileError, match=f"is not .*{service}"):
        list(reader(path))
