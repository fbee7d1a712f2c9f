"""Echo times: their unit, where they are stated, and whether what states them agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Finding

# Gradient echoes lie between 0.03 ms (ultrashort) and about 100 ms, so a longest echo time
# under 0.5 is in seconds (BIDS), and one above 500 is in something else altogether.
SECONDS_BELOW = 0.5
LONGEST_MS = 500.0

# Echo times that agree to this share are the same: headers round.
_SAME_TIME = 0.01


@dataclass(frozen=True)
class Echo:
    """One echo as it was found.

    ``sidecar`` and ``header`` are the echo time as each states it, in its own unit.
    """

    image: Image
    path: Path
    sidecar: float | None = None
    header: float | None = None


def parse_times(words: Sequence[str]) -> list[float] | None:
    """Echo times from the words after ``--te``; None for ``sidecars`` (or none at all).

    Raises:
        InputError: a word that is not a number.
    """
    if not words or [w.lower() for w in words] in (["sidecars"], ["from", "sidecars"]):
        return None
    try:
        return [float(v) for word in words for v in word.replace(",", " ").split()]
    except ValueError:
        raise InputError(
            f"--te {' '.join(words)} is not a list of echo times. Give one number per echo in "
            "ms, for example --te 4 8 12, or --te sidecars."
        ) from None


def in_order(
    echoes: Sequence[Echo], given: Sequence[float] | None
) -> tuple[list[Echo], tuple[float, ...], list[Finding]]:
    """The echoes in order of their times, the times in ms, and what was noticed."""
    if len(echoes) < 2:
        raise InputError(
            "There is only one echo. T2* needs at least two echo times; give the other echoes too."
        )
    if given is not None:
        return _given_times(echoes, given)
    times, findings = _stated_times(echoes)
    _check_headers(echoes, times)
    order = sorted(range(len(times)), key=lambda n: times[n])
    for a, b in zip(order, order[1:], strict=False):
        if agree(times[a], times[b]):
            raise InputError(
                f"{echoes[a].image.name} and {echoes[b].image.name} have the same echo time, "
                f"{times[a]:g} ms. Give each echo once, or the right times with --te."
            )
    return [echoes[n] for n in order], tuple(times[n] for n in order), findings


def _given_times(
    echoes: Sequence[Echo], given: Sequence[float]
) -> tuple[list[Echo], tuple[float, ...], list[Finding]]:
    if len(given) != len(echoes):
        raise InputError(
            f"There are {len(echoes)} echoes and {len(given)} echo times. Give one time per echo, "
            "in the order of the echoes."
        )
    if not all(np.isfinite(given)) or min(given) <= 0 or (np.diff(given) <= 0).any():
        raise InputError(
            f"The echo times {_list(given)} do not ascend from above zero. List the echoes and "
            "their times from the shortest to the longest."
        )
    times, findings = to_ms(given)
    if all(_stated(echo) is not None for echo in echoes):
        other, _ = _stated_times(echoes)
        if not all(agree(a, b) for a, b in zip(times, other, strict=True)):
            text = (
                f"The echo times given, {_list(times)} ms, differ from {_list(other)} ms in the "
                "sidecars or headers. Those given are used."
            )
            findings.append(Finding("echo_times_differ", text, warning=True))
    return list(echoes), tuple(times), findings


def _stated(echo: Echo) -> float | None:
    return echo.sidecar or echo.header


def _stated_times(echoes: Sequence[Echo]) -> tuple[list[float], list[Finding]]:
    """Times in ms from the sidecars (in s, by BIDS), or else the headers (in ms).

    Raises:
        InputError: an echo with neither.
    """
    missing = [echo.image.name for echo in echoes if _stated(echo) is None]
    if missing:
        raise InputError(
            f"No echo time is known for {missing[0]}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + ": there is no JSON sidecar with EchoTime beside it. Give the times in ms with --te."
        )
    sidecars = [echo.sidecar for echo in echoes if echo.sidecar]
    if not sidecars:
        return [echo.header or 0.0 for echo in echoes], []
    in_ms = dict(zip(sidecars, to_ms(sidecars)[0], strict=True))
    times = [in_ms[echo.sidecar] if echo.sidecar else echo.header or 0.0 for echo in echoes]
    if max(sidecars) < SECONDS_BELOW:
        return times, []  # as BIDS has it, so not worth a word
    text = (
        f"The sidecars' echo times, {_list(sidecars)}, are taken for ms because of their size; "
        "BIDS wants seconds."
    )
    return times, [Finding("echo_time_unit", text)]


def _check_headers(echoes: Sequence[Echo], times: Sequence[float]) -> None:
    """Raises: InputError: a sidecar and the header of its image state different times."""
    for echo, time in zip(echoes, times, strict=True):
        if echo.header is not None and not agree(time, echo.header):
            raise InputError(
                f"The sidecar of {echo.image.name} says an echo time of {time:g} ms and its "
                f"header {echo.header:g} ms. Correct one, or give the right times with --te."
            )


def to_ms(times: Sequence[float]) -> tuple[list[float], list[Finding]]:
    """Echo times in ms, and a finding where they were in seconds, which their size tells.

    Raises:
        InputError: times too long for ms, or of mixed units.
    """
    longest, shortest = max(times), min(times)
    if longest > LONGEST_MS:
        raise InputError(
            f"The echo times {_list(times)} are too long for ms. Give them in ms, for example "
            "--te 4 8 12."
        )
    if longest < SECONDS_BELOW:
        text = f"The echo times {_list(times)} are taken for seconds because of their size."
        return [round(1000 * t, 6) for t in times], [Finding("echo_time_unit", text)]
    if shortest < 0.02:
        raise InputError(
            f"The echo times {_list(times)} seem to mix seconds and ms. Give all of them in ms."
        )
    return [float(t) for t in times], []


def agree(a: float, b: float) -> bool:
    """Whether two echo times in one unit are the same but for rounding."""
    return abs(a - b) <= _SAME_TIME * max(a, b)


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)
