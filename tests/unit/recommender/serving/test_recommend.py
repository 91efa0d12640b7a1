from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from scipy import sparse

from segue.errors import ModelError
from segue.recommender.components.als import Hyperparameters
from segue.recommender.components.blend import Blend
from segue.recommender.components.factors import Factors
from segue.recommender.components.popularity import Popularity
from segue.recommender.components.transitions import Transitions
from segue.recommender.model import PARTS, Catalogue, Recommender
from segue.recommender.recipe import Recipe
from segue.recommender.serving import recommend as recommending
from segue.recommender.serving import rules
from segue.recommender.serving.recommend import Listener, Recommendation, Wishes

NOW = 1_700_000_000.0


def listener(plays: sparse.csr_matrix, row: int = 0, hated: tuple[int, ...] = ()) -> Listener:
    one = plays[row]
    last = np.full(one.nnz, NOW - 30 * rules.DAY_S, dtype=np.int64)
    return Listener(one.indices.astype(np.int64), one.data, last, hated)


def nobody() -> Listener:
    return Listener(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))


def recommend(model: Recommender, one: Listener, **how: Any) -> list[Recommendation]:
    return next(recommending.recommend(model, [one], **how))


def test_listeners_get_together_what_each_gets_alone(
    model: Recommender, plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommending, "TOGETHER", 3)
    people = [listener(plays, 0), nobody(), listener(plays, 1), listener(plays, 2)]
    together = list(recommending.recommend(model, people, now=NOW))
    for person, items in zip(people, together, strict=True):
        alone = recommend(model, person, now=NOW)
        assert [item.track for item in items] == [item.track for item in alone]
        assert [item.score for item in items] == pytest.approx([item.score for item in alone], rel=1e-5)


def test_contributions_and_popularity_add_up_to_the_score(model: Recommender, plays: sparse.csr_matrix) -> None:
    items = recommend(model, listener(plays), now=NOW)
    for item in items:
        total = sum(item.reason.contributions.values()) + item.reason.others + item.reason.popularity
        assert total == pytest.approx(item.score, rel=1e-4, abs=1e-5)


def in_session(plays: sparse.csr_matrix, row: int = 0) -> Listener:
    """Let a listener play three tracks one after the other, just before `NOW`, and the others long ago."""
    one = listener(plays, row)
    last = one.last_played.copy()
    last[:3] = NOW - np.array([1_500, 700, 60])
    return replace(one, last_played=last)


def test_what_follows_the_last_tracks_of_a_session_moves_up_and_the_reasons_say_so(
    model: Recommender, plays: sparse.csr_matrix
) -> None:
    everything = Wishes(count=60, per_artist=60)
    before, now = (
        {item.track: item for item in recommend(model, each, now=NOW, wishes=everything)}
        for each in (listener(plays), in_session(plays))
    )
    scores = np.zeros((len(model.catalogue), 2))
    for track, item in now.items():
        total = sum(item.reason.contributions.values()) + item.reason.others + item.reason.popularity
        assert total == pytest.approx(item.score, rel=1e-4, abs=1e-5)
        scores[track] = before[track].score, item.score
    follows = cast(Transitions, model.blend.components["transitions"]).relations.relations[
        in_session(plays).tracks[2]
    ]
    followed = [track for track in now if follows[:, track].nnz]
    others = [track for track in now if track not in followed]
    gained = scores[:, 1] - scores[:, 0]
    assert followed
    assert gained[followed].mean() > max(gained[others].mean(), 0)
    assert recommend(model, in_session(plays), now=NOW + 86_400) == recommend(model, listener(plays), now=NOW)


def test_a_reason_names_the_tracks_that_contribute_most(model: Recommender, plays: sparse.csr_matrix) -> None:
    items = recommend(model, listener(plays), now=NOW)
    shares = list(items[0].reason.contributions.values())
    assert shares == sorted(shares, reverse=True)
    most = next(iter(items[0].reason.contributions))
    assert model.catalogue.titles[most] in items[0].reason.sentence
    like = items[0].reason.sounds_like
    assert like is not None
    assert like % 4 == items[0].track % 4  # of the same sound


def test_who_has_played_nothing_gets_what_everybody_plays_and_is_told(model: Recommender) -> None:
    items = recommend(model, nobody(), now=NOW, wishes=Wishes(count=5, per_artist=99))
    assert [item.track for item in items] == np.argsort(-model.popularity, kind="stable")[:5].tolist()
    assert items[0].reason.sentence.startswith("Popular with other listeners")
    assert items[0].reason.contributions == {}


def test_hated_tracks_and_too_many_of_an_artist_are_left_out(model: Recommender, plays: sparse.csr_matrix) -> None:
    free = recommend(model, listener(plays), now=NOW, wishes=Wishes(count=10))
    hated = free[0].track
    items = recommend(model, listener(plays, hated=(hated,)), now=NOW, wishes=Wishes(count=10))
    assert hated not in [item.track for item in items]
    artists = model.catalogue.artist_numbers[[item.track for item in items]]
    assert np.bincount(artists).max() <= 2


@pytest.mark.parametrize(("discover", "new"), [(1.0, 10), (0.3, 3), (0.0, 0)])
def test_discover_is_the_share_of_tracks_never_played(
    model: Recommender, plays: sparse.csr_matrix, discover: float, new: int
) -> None:
    row = int(np.argmax(np.diff(plays.indptr)))
    wishes = Wishes(count=10, discover=discover, per_artist=99)
    items = recommend(model, listener(plays, row), now=NOW, wishes=wishes)
    played = set(plays[row].indices)
    assert sum(item.track not in played for item in items) == new


def test_what_was_played_recently_is_not_familiar_but_too_soon(
    model: Recommender, plays: sparse.csr_matrix
) -> None:
    person = listener(plays)
    recent = Listener(person.tracks, person.plays, np.full(len(person.tracks), int(NOW) - 60))
    items = recommend(model, recent, now=NOW, wishes=Wishes(discover=0.0))
    assert not set(person.tracks) & {item.track for item in items}


def test_a_listener_who_has_played_everything_gets_no_new_track(model: Recommender) -> None:
    tracks = len(model.catalogue)
    everything = Listener(np.arange(tracks), np.ones(tracks, np.float32), np.zeros(tracks, np.int64))
    assert recommend(model, everything, now=NOW) == []


def test_a_saved_recommender_recommends_the_same(
    model: Recommender, plays: sparse.csr_matrix, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model")
    for person in (listener(plays), in_session(plays)):
        assert recommend(again, person, now=NOW) == recommend(model, person, now=NOW)


def test_a_loaded_recommender_leaves_its_arrays_on_the_disk(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    loaded = Recommender.load(tmp_path / "m").blend.components
    arrays = [loaded["factors"].item_factors, loaded["popularity"].values]  # type: ignore[attr-defined]
    for name in ("ease", "cosine", "sound"):
        arrays += [getattr(loaded[name].relations, part) for part in PARTS]  # type: ignore[attr-defined]
    for array in arrays:
        while isinstance(array, np.ndarray):
            array = array.base
        assert isinstance(array, mmap)


def test_a_recommender_of_the_format_before_is_read(
    model: Recommender, plays: sparse.csr_matrix, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    weights = {name: weight for name, weight in model.blend.weights.items() if name != "transitions"}
    components = {name: model.blend.components[name] for name in weights}
    recipe = replace(model.recipe, weights=weights, transitions_memory=None)
    model = Recommender(model.catalogue, Blend(components, weights), recipe)
    model.save(folder)
    manifest = json.loads((folder / "recommender.json").read_text())
    for name in ("ease", "cosine", "sound"):
        sparse.save_npz(folder / f"{name}.npz", sparse.csr_matrix(model.blend.components[name].relations))  # type: ignore[attr-defined]
        for part in PARTS:
            (folder / f"{name}.{part}.npy").unlink()
            del manifest["files"][f"{name}.{part}.npy"]
        with (folder / f"{name}.npz").open("rb") as file:
            manifest["files"][f"{name}.npz"] = hashlib.file_digest(file, "sha256").hexdigest()
    (folder / "recommender.json").write_text(json.dumps(manifest | {"format": 1}))
    again = Recommender.load(folder)
    assert recommend(again, listener(plays), now=NOW) == recommend(model, listener(plays), now=NOW)


def test_a_catalogue_of_one_artist_fills_a_list(model: Recommender, plays: sparse.csr_matrix) -> None:
    known = model.catalogue
    alone = replace(model, catalogue=Catalogue(known.track_ids, known.titles, ["Somebody"] * len(known)))
    assert len(recommend(alone, listener(plays), now=NOW, wishes=Wishes(count=10))) == 10


def test_a_damaged_recommender_is_refused(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    (tmp_path / "m" / "factors.npy").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match=r"damaged: factors\.npy .*DAG `recommender`.*segue models rollback"):
        Recommender.load(tmp_path / "m")


@pytest.mark.parametrize("file", ["recommender.json", "catalogue.parquet", "popularity.npy"])
@pytest.mark.parametrize("size", [0, 20])
def test_a_cut_file_of_a_recommender_gives_the_remedy(
    model: Recommender, tmp_path: Path, file: str, size: int
) -> None:
    model.save(tmp_path / "m")
    cut = tmp_path / "m" / file
    cut.write_bytes(cut.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"DAG `recommender`.*segue models rollback recommender"):
        Recommender.load(tmp_path / "m")


def test_a_recommender_of_another_format_or_none_is_refused(model: Recommender, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Recommender.load(tmp_path / "nothing")
    model.save(tmp_path / "m")
    manifest = tmp_path / "m" / "recommender.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        Recommender.load(tmp_path / "m")


def test_factors_of_another_catalogue_are_refused(model: Recommender, tmp_path: Path) -> None:
    fewer = replace(
        model.blend.components["factors"], item_factors=model.blend.components["factors"].item_factors[:-1]
    )  # type: ignore[type-var,attr-defined]
    blend = Blend(model.blend.components | {"factors": fewer}, model.blend.weights)  # type: ignore[dict-item]
    replace(model, blend=blend).save(tmp_path / "m")
    with pytest.raises(ModelError, match="factors is for 59 tracks, the catalogue has 60"):
        Recommender.load(tmp_path / "m")


def test_a_listener_of_100000_plays_gets_a_list_with_exact_reasons() -> None:
    random = np.random.default_rng(0)
    tracks = 30_000
    names = [f"t{i}" for i in range(tracks)]
    components = {
        "factors": Factors(random.normal(size=(tracks, 16)).astype(np.float32), 10.0, 0.01),
        "popularity": Popularity(random.random(tracks, dtype=np.float32)),
    }
    weights = {"factors": 0.8, "popularity": 0.2}
    recipe = Recipe(Hyperparameters(rank=16), 10.0, 0.5, 0.0, weights, 0.5, 0.0)
    large = Recommender(Catalogue(names, names, names), Blend(components, weights), recipe)
    played = random.choice(tracks, 20_000, replace=False)
    plays = random.multinomial(100_000, np.full(20_000, 1 / 20_000)).astype(np.float32)
    one = Listener(played, plays, np.full(20_000, int(NOW) - 30 * 86_400, dtype=np.int64))
    items = recommend(large, one, now=NOW)
    assert len(items) == 25
    assert not {item.track for item in items} & set(played.tolist())
    for item in items:
        total = sum(item.reason.contributions.values()) + item.reason.others + item.reason.popularity
        assert total == pytest.approx(item.score, rel=1e-4, abs=1e-5)


def test_any_beginning_of_a_mix_has_the_wished_share() -> None:
    mixed = rules.mix(range(100), range(1000, 1100), count=20, discover=0.3)
    shares = [sum(track < 1000 for track in mixed[:n]) / n for n in (10, 20)]
    assert shares == [0.3, 0.3]
    assert rules.mix([1], [], count=5, discover=0.0) == [1]
