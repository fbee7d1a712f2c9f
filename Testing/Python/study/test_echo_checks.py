"""What a magnitude is told from a phase image by."""

from __future__ import annotations

import numpy as np

from ALSMotorCortexLib.study.echo_checks import looks_like_phase


def test_magnitudes_are_not_taken_for_phase() -> None:
    rng = np.random.default_rng(0)
    noise = np.hypot(*rng.normal(size=(2, 20, 100, 100)))
    assert not looks_like_phase(noise)
    disc = (np.hypot(*np.mgrid[-50:50, -50:50]) < 35)[None] * np.ones((4, 1, 1)) * 100.0
    assert not looks_like_phase(disc)
    assert not looks_like_phase(disc * 10 + np.hypot(*rng.normal(size=(2, 4, 100, 100))))
    assert not looks_like_phase(disc - 1)  # slightly negative after resampling
    assert not looks_like_phase(np.ones((2, 5, 5)))
