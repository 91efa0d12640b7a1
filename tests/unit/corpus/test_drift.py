from __future__ import annotations

import numpy as np
import pytest
from tests.support.corpus_reports import measured

from segue.corpus import drift


def report(tracks=100, nulls=0, **quantiles):
    return measured(tracks=tracks, null={"artist": nulls}, quantiles=quantiles)


@pytest.mark.parametrize(("start", "distance"), [(0, 0.0), (3, 0.3), (-3, 0.3), (10, 1.0), (99, 1.0)])
def test_the_distance_is_that_of_the_distributions(start, distance):
    assert drift.ks_distance(range(11), range(start, start + 11)) == pytest.approx(distance)


def test_the_distance_agrees_with_that_of_all_values():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(3)
    some, others = rng.normal(size=4_000), rng.normal(0.7, 1.5, size=3_000)
    quantiles = [np.quantile(each, drift.PROBABILITIES) for each in (some, others)]
    assert drift.ks_distance(*quantiles) == pytest.approx(ks_2samp(some, others).statistic, abs=0.06)


def test_a_rise_of_nulls_is_a_difference_of_shares():
    assert drift.compare(report(50, 25), report(200, 20)).null_rises == {"artist": pytest.approx(0.4)}


def test_descriptors_that_the_earlier_report_lacks_are_left_out():
    assert drift.compare(report(rmse=range(11)), report(zcr=range(11))).distances == {}
