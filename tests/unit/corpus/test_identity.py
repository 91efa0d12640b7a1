"""Which known track a file is, and which ids new tracks get."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.corpus.identity import Absent, Content, assign_ids, recognise
from segue.corpus.listing import file_id

hashes = st.none() | st.sampled_from("abc")
paths = st.sampled_from([f"{folder}/{number}" for folder in "xy" for number in range(4)])
contents = st.builds(Content, paths, hashes, hashes)
tracks = st.builds(Absent, paths, hashes, hashes, st.sampled_from("123456"), has_departed=st.booleans())


def ids(files, known):
    return {path: track.track_id for path, track in recognise(files, known).items()}


def test_a_renamed_folder_keeps_its_tracks():
    known = [Absent(f"Old/{n}.mp3", f"bytes {n}", f"audio {n}", f"t{n}") for n in range(3)]
    files = [Content(f"New/{n}.mp3", f"bytes {n}") for n in (2, 0, 1)]
    assert ids(files, known) == {f"New/{n}.mp3": f"t{n}" for n in range(3)}


def test_files_that_exchange_their_names_exchange_their_tracks():
    known = [Absent("1", "a", None, "t1"), Absent("2", "b", None, "t2")]
    assert ids([Content("1", "b"), Content("2", "a")], known) == {"1": "t2", "2": "t1"}


def test_a_file_with_other_tags_is_the_same_track_wherever_it_is():
    known = [Absent("1", "a", "sound 1", "t1"), Absent("2", "b", "sound 2", "t2")]
    files = [Content("1", "a*", "sound 1"), Content("moved/2", "b*", "sound 2")]
    assert ids(files, known) == {"1": "t1", "moved/2": "t2"}


def test_identical_copies_that_move_together_go_by_their_sorted_paths():
    known = [Absent(f"old/{name}", "a", "s", name) for name in ("2", "10", "1")]
    files = [Content(f"new/{name}", "a", "s") for name in ("z", "x", "y")]
    assert ids(files, known) == {"new/x": "1", "new/y": "10", "new/z": "2"}


def test_a_file_that_moved_goes_before_one_that_was_gone_before():
    known = [Absent("a", "h", None, "gone long ago", has_departed=True), Absent("b", "h", None, "moved")]
    assert ids([Content("c", "h")], known) == {"c": "moved"}


def test_new_content_at_a_known_path_is_the_track_of_the_path():
    known = [Absent("1", "a", "s", "t1")]
    assert ids([Content("1", "b", "other"), Content("2", "c", "third")], known) == {"1": "t1"}


def test_a_path_whose_track_moved_away_is_a_new_track():
    known = [Absent("1", "a", "s", "t1")]
    assert ids([Content("1", "b", "other"), Content("2", "a")], known) == {"2": "t1"}


def test_an_unknown_hash_is_no_evidence():
    assert ids([Content("new", None, ""), Content("also", "h", "")], [Absent("old", None, "", "t1")]) == {}


@given(st.lists(contents, unique_by=lambda file: file.path), st.lists(tracks, unique_by=lambda t: t.track_id))
def test_no_track_is_found_twice_and_no_content_is_overlooked(files, known):
    found = recognise(files, known)
    assert found == recognise(files[::-1], known[::-1])
    taken = [track.track_id for track in found.values()]
    assert len(taken) == len(set(taken))
    for file in files:
        if file.path in found:
            track = found[file.path]
            assert track.is_of(file) or track.path == file.path
        else:
            assert not any(track.is_of(file) for track in known if track.track_id not in taken)


some_ids = st.sampled_from([*"123", *(file_id(f"{folder}/{number}") for folder in "xy" for number in range(4))])
by_path = st.dictionaries(paths, some_ids)


@given(st.sets(paths), by_path, by_path, st.sets(some_ids))
def test_ids_are_never_shared_and_those_stated_or_kept_stay(listed, kept, stated, reserved):
    stated = {path: track_id for track_id, path in {i: p for p, i in stated.items()}.items()}  # as tables: unique
    kept = {path: track_id for track_id, path in {i: p for p, i in kept.items() if p in listed}.items()}
    reserved -= set(kept.values())
    given_ids = assign_ids(listed, kept, stated, reserved)
    assert given_ids.keys() == listed
    assert len(set(given_ids.values())) == len(listed)
    of_files = {stated[path] for path in listed & stated.keys()}
    for path, track_id in given_ids.items():
        if path in stated:
            assert track_id == stated[path]
        elif path in kept and kept[path] not in of_files:
            assert track_id == kept[path]
        else:
            assert track_id not in reserved


def test_a_new_file_at_the_old_path_of_a_track_gets_another_id():
    moved = file_id("1.mp3")
    given_ids = assign_ids(["1.mp3", "2.mp3"], {"2.mp3": moved}, {}, ())
    assert given_ids["2.mp3"] == moved
    assert given_ids["1.mp3"] not in ("", moved)
    assert given_ids == assign_ids(["2.mp3", "1.mp3"], {"2.mp3": moved}, {}, ()), "whatever the order"


def test_an_id_that_the_table_gives_to_another_file_is_not_kept():
    given_ids = assign_ids(["a", "b"], {"a": "t0"}, {"b": "t0"}, ())
    assert given_ids == {"a": file_id("a"), "b": "t0"}
