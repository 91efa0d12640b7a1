from __future__ import annotations

import hashlib

import pytest

from segue.audio import definition


def test_there_are_518_features_in_fmas_order() -> None:
    assert definition.N_FEATURES == 518
    assert sorted(definition.COLUMNS) == definition.COLUMNS
    assert definition.COLUMNS[0] == ("chroma_cens", "kurtosis", "01")
    assert definition.COLUMNS[-1] == ("zcr", "std", "01")


def test_names_and_positions_agree() -> None:
    names = definition.feature_names()
    assert len(set(names)) == 518
    assert names[definition.index("mfcc", "mean", 20)] == "mfcc_mean_20"
    with pytest.raises(KeyError):
        definition.index("mfcc", "mean", 21)


def test_the_schema_of_this_version_does_not_change() -> None:
    digest = hashlib.sha256("\n".join(definition.feature_names()).encode()).hexdigest()
    assert (definition.FEATURE_VERSION, digest[:16]) == ("2", "42b71fef9e063fce")
