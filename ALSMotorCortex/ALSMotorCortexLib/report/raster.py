"""Colours and PNG pictures, from numpy arrays alone.

Pictures are indexed PNGs: one byte per pixel and a table of colours with transparency, so an
overlay is a picture of its own that lies on the gray one and not a blend of both.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SKY, VERMILLION, ORANGE, YELLOW = "56b4e9", "d55e00", "e69f00", "f0e442"
BLUE, GREEN, PURPLE, BLACK = "0072b2", "009e73", "cc79a7", "000000"
"""Palette that colour-blind readers can tell apart (Okabe and Ito, Color Universal Design,
2008)."""

SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colours of curves. Yellow is left out: it is too pale on white."""

VIRIDIS = (
    "440154", "481a6c", "472f7d", "414487", "39568c", "31688e", "2a788e", "23888e",
    "1f988b", "22a884", "35b779", "54c568", "7ad151", "a5db36", "d2e21b", "fde725",
)  # fmt: skip
"""Every seventeenth colour of viridis (S. van der Walt and N. Smith, 2015, CC0)."""

CIVIDIS = (
    "00224e", "002e6c", "1e3a6f", "35456c", "47516c", "575d6d", "666970", "757575",
    "848279", "948e77", "a59c74", "b7a96e", "c8b866", "dbc75a", "eed649", "fee838",
)  # fmt: skip
"""Every seventeenth colour of cividis (Nunez, Anderton and Renslow, PLoS ONE 2018, 13:e0199239)."""

LAYERS = (SKY, YELLOW, VERMILLION)
"""From superficial to deep."""

TRANSPARENT = (0, 0, 0, 0)
NOT_MEASURED = (*bytes.fromhex(PURPLE), 255)
STEPS = 254
"""Colours of a continuous scale in a picture, whose index 0 is outside and 255 not measured."""

GRAYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def rgba(colour: str, alpha: float = 1.0) -> tuple[int, int, int, int]:
    """A colour of six hexadecimal digits as four bytes."""
    r, g, b = bytes.fromhex(colour)
    return r, g, b, round(255 * alpha)


def ramp(anchors: tuple[str, ...], n: int) -> NDArray[np.uint8]:
    """(n, 3) colours from the first anchor to the last; the middle one where n is 1."""
    rgb = np.array([list(bytes.fromhex(a)) for a in anchors], dtype=float)
    at = np.linspace(0, len(anchors) - 1, n) if n > 1 else np.array([(len(anchors) - 1) / 2])
    columns = [np.interp(at, np.arange(len(anchors)), rgb[:, c]) for c in range(3)]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)


def scale_palette(anchors: tuple[str, ...]) -> NDArray[np.uint8]:
    """(256, 4) colours for :func:`scale_index`."""
    palette = np.zeros((256, 4), np.uint8)
    palette[1 : STEPS + 1] = np.c_[ramp(anchors, STEPS), np.full(STEPS, 255)]
    palette[255] = NOT_MEASURED
    return palette


def scale_index(values: NDArray, inside: NDArray, low: float, high: float) -> NDArray[np.uint8]:
    """Picture indices on a scale: 0 outside, 1 to 254 from low to high, 255 where NaN."""
    known = np.isfinite(values)
    share = (np.where(known, values, low) - low) / (high - low)
    index = 1 + np.rint(np.clip(share, 0, 1) * (STEPS - 1))
    return np.where(inside, np.where(known, index, 255), 0).astype(np.uint8)


def gray_range(values: NDArray, groups: Sequence[NDArray] = ()) -> tuple[float, float]:
    """What black and white stand for: the 1st and the 99th percentile of the finite values.

    Args:
        values: of the picture.
        groups: masks of its parts that must be told apart, such as tissues. The range then
            reaches over the percentiles of each of them that has values, however small it is;
            what lies elsewhere may be beyond black or white.
    """
    finite = np.isfinite(values)
    parts = [values[mask & finite] for mask in groups]
    ranges = [np.percentile(part, [1, 99]) for part in parts if part.size]
    if not ranges and finite.any():
        ranges = [np.percentile(values[finite], [1, 99])]
    if not ranges:
        return 0.0, 0.0
    return float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))


def gray_index(values: NDArray, ends: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """0 to 255 from one of ``ends`` to the other, or over :func:`gray_range`; 0 where NaN."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape, np.uint8)
    low, high = ends or gray_range(values)
    if not high > low:
        return np.where(known, 128, 0).astype(np.uint8)
    share = (np.where(known, values, low) - low) / (high - low)
    return np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)


def png(index: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """An indexed PNG (W3C Portable Network Graphics, sections 5 and 11).

    Args:
        index: (rows, columns) entries of the palette.
        palette: (up to 256, 3 or 4) red, green, blue and, if there is a fourth, opacity.
    """
    rows, columns = index.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each line begins with its filter, 0
    lines[:, 1:] = index
    colours = palette[: int(index.max(initial=0)) + 1]
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", np.ascontiguousarray(colours[:, :3]).tobytes()),
    ]
    if colours.shape[1] == 4:
        parts.append((b"tRNS", np.ascontiguousarray(colours[:, 3]).tobytes()))
    parts += [(b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def data_uri(picture: bytes) -> str:
    """A PNG as text that a page can hold."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
