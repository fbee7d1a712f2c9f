"""The environment says how many threads share the work."""

from __future__ import annotations

import pytest

from ALSMotorCortexLib.cortex import workers


@pytest.mark.parametrize(
    "text, number", [("", workers.USUAL), ("1", 1), ("7", 7), ("0", 1), ("many", workers.USUAL)]
)
def test_workers(monkeypatch, text, number):
    monkeypatch.setenv(workers.VARIABLE, text)
    assert workers.workers() == number
