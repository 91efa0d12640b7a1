"""What is in a document cannot change unnoticed: collections of users are of this form."""

from __future__ import annotations

import json
from hashlib import blake2b

import numpy as np

from segue.audio.definition import COLUMNS, N_FEATURES
from segue.corpus.documents import FIELDS
from segue.tracks.collection import FORM, VALIDATOR
from segue.tracks.vectors import DESCRIPTORS, describe, pack


def test_the_form_of_a_document_is_pinned() -> None:
    assert blake2b(json.dumps(VALIDATOR).encode(), digest_size=8).hexdigest() == "bcbed5abaa111a70"
    assert {name: "_".join(COLUMNS[position]) for name, position in DESCRIPTORS.items()} == {
        "spectral_centroid_hz": "spectral_centroid_mean_01",
        "zero_crossing_rate": "zcr_mean_01",
        "rms": "rmse_mean_01",
        "mfcc_01": "mfcc_mean_01",
        "mfcc_02": "mfcc_mean_02",
        "mfcc_03": "mfcc_mean_03",
        "mfcc_04": "mfcc_mean_04",
        "mfcc_05": "mfcc_mean_05",
    }


def test_another_form_of_the_same_track_has_another_number() -> None:
    [vector] = pack([np.arange(N_FEATURES) / 7])
    document = json.dumps([FIELDS, vector.hex(), describe(vector)])
    made = blake2b(document.encode(), digest_size=8).hexdigest()
    assert {FORM: made} == {5: "fec9e260c9f30975"}, "raise FORM: then standing documents are replaced"
