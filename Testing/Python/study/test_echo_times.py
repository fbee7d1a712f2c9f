"""Echo times as they are typed, and their unit."""

from __future__ import annotations

import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.echo_times import parse_times, to_ms


@pytest.mark.parametrize("words", [[], ["sidecars"], ["from", "sidecars"]])
def test_words_for_times_from_sidecars(words: list[str]) -> None:
    assert parse_times(words) is None


def test_typed_times() -> None:
    assert parse_times(["4", "8", "12.5"]) == [4, 8, 12.5]
    assert parse_times(["4,8,12.5"]) == [4, 8, 12.5]
    with pytest.raises(InputError, match="four is not a list"):
        parse_times(["four"])


def test_units_of_times() -> None:
    assert to_ms([0.07, 2.0, 4.0])[0] == [0.07, 2.0, 4.0]
    assert to_ms([0.005, 0.05])[0] == pytest.approx([5, 50])
    with pytest.raises(InputError, match="too long for ms"):
        to_ms([4000, 8000])
    with pytest.raises(InputError, match="mix"):
        to_ms([0.004, 8])
