"""Benjamini-Hochberg against statsmodels and the paper's example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from ALSMotorCortexLib.study.statistics.multiple import benjamini_hochberg

# Benjamini and Hochberg 1995, section 3.2: fifteen p values, of which four are kept at 0.05.
PAPER = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
    0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_the_paper_s_example_keeps_four() -> None:
    adjusted = benjamini_hochberg(np.array(PAPER))
    assert (adjusted <= 0.05).sum() == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_against_statsmodels(p: list[float]) -> None:
    theirs = multipletests(p, method="fdr_bh")[1]
    assert benjamini_hochberg(np.array(p)) == pytest.approx(theirs, abs=1e-12)


def test_missing_p_values_are_no_tests() -> None:
    holed = np.array([0.01, np.nan, 0.04, np.nan])
    got = benjamini_hochberg(holed)
    assert np.isnan(got[[1, 3]]).all()
    assert got[[0, 2]] == pytest.approx([0.02, 0.04])
    assert len(benjamini_hochberg(np.zeros(0))) == 0
