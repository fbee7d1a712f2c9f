"""Whether echoes show something, are magnitude or phase as they are given, and fade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.result import Finding
from .echo_times import Echo


def check_values(echoes: Sequence[Echo]) -> None:
    """Raises: InputError: an echo that is empty, or phase where magnitude is wanted."""
    for n, echo in enumerate(echoes, 1):
        if wrong := _emptiness(echo.image.array):
            raise InputError(
                f"Echo {n} ({echo.image.name}) {wrong}. Export it again, or leave that echo and "
                "its time out."
            )
        if looks_like_phase(echo.image.array):
            raise InputError(
                f"Echo {n} ({echo.image.name}) looks like a phase image: its values are negative "
                "or wrap. Give magnitude images to --echoes, and phase to --phase."
            )


def _emptiness(array: NDArray) -> str:
    """What is wrong with an image that shows nothing; empty for one that does."""
    finite = array[np.isfinite(array)]
    if not finite.size:
        return "holds no numbers"
    low, high = finite.min(), finite.max()
    if low < high:
        return ""
    return f"has the value {low:g} everywhere" if low else "is zero everywhere"


def looks_like_phase(array: NDArray) -> bool:
    """Whether values wrap, or are negative by far, as in a phase image and not a magnitude.

    Phase jumps from one end of its range to the other, in tissue along lines and in air
    everywhere, and has values all over its range; a magnitude does at most one of the two.
    Resampling leaves small negative values in a magnitude; those are let pass.

    Args:
        array: (k, j, i).
    """
    some = array[:: max(1, array.shape[0] // 8)].astype(np.float32)
    some = np.where(np.isfinite(some), some, 0)
    low, high = float(some.min()), float(some.max())
    if low < -0.1 * high:
        return True
    if low == high:
        return False
    jumps = [np.abs(np.diff(some, axis=axis)) > 0.8 * (high - low) for axis in (1, 2)]
    wraps = sum(int(j.sum()) for j in jumps) > 0.001 * sum(j.size for j in jumps)
    filled = np.histogram(some, 20, (low, high))[0].min() > 0.005 * some.size
    return wraps and bool(filled)


def check_phase(echo: Echo, grid: Grid) -> None:
    """Raises: InputError: a phase image on another grid than the magnitude, or an empty one."""
    if not echo.image.grid.same_as(grid, 0.01 * min(grid.spacing)):
        raise InputError(
            f"The phase image {echo.image.name} lies on another grid than the magnitude. "
            "Give phase and magnitude of the same scan."
        )
    if not np.isfinite(echo.image.array).all() or np.ptp(echo.image.array) == 0:
        raise InputError(
            f"The phase image {echo.image.name} is constant or holds values that are not "
            "numbers. Export it again, or leave --phase out."
        )


def growing(pictures: Sequence[Image], times: Sequence[float]) -> list[Finding]:
    """A warning where the signal grows from one echo to the next: swapped, most likely."""
    bright = pictures[0].array > np.nanmean(pictures[0].array)
    if not all(np.isfinite(p.array[bright]).any() for p in pictures):
        return []
    means = [float(np.nanmean(p.array[bright], dtype=np.float64)) for p in pictures]
    for n in range(1, len(means)):
        if means[n] > 1.02 * means[n - 1]:
            text = (
                f"The signal grows from the echo at {times[n - 1]:g} ms to the one at "
                f"{times[n]:g} ms. Check that files and echo times are in the same order."
            )
            return [Finding("echo_grows", text, warning=True)]
    return []
