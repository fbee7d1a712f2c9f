"""Pictures: their pixels, borders, aspect ratio and scale bars, against known truths."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.report import figures, raster, slices
from measured_cylinder import INNER, OUTER, cylinder

Picture = pytest.importorskip("PIL.Image", reason="reads PNG pictures back")


def pictures(width=400, **case):
    """The last axial slice of the cylinder."""
    measurement, labels, maps = cylinder(**case)
    view = slices.view_of(measurement.grid, "axial")
    parts = slices.ribbon_slices(measurement, view)
    window = slices.window_around(parts)
    return figures.SlicePictures(measurement, labels, maps, parts[-1], window, width)


def decoded(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.array(Picture.open(io.BytesIO(data)).convert("RGBA"))


def layers(svg: str) -> list[np.ndarray]:
    return [decoded(uri) for uri in re.findall(r"href='(data:[^']+)'", svg)]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 256), st.randoms())
def test_png_is_read_back_as_written(rows, columns, colours, random):
    rng = np.random.default_rng(random.randrange(1 << 30))
    index = rng.integers(0, colours, (rows, columns)).astype(np.uint8)
    palette = rng.integers(0, 256, (colours, 4)).astype(np.uint8)
    assert (decoded(raster.data_uri(raster.png(index, palette))) == palette[index]).all()
    opaque = decoded(raster.data_uri(raster.png(index, palette[:, :3])))
    assert (opaque[..., :3] == palette[index][..., :3]).all() and (opaque[..., 3] == 255).all()


def test_thickness_pixels():
    """Each voxel has the colour of its own value; outside is clear; NaN has a colour of its own."""
    p = pictures()
    where = p.part.where
    thickness = p.measurement.thickness.copy()
    thickness[where[0]], thickness[where[1]], thickness[where[2]] = 0.0, 9.0, np.nan
    p = dataclasses.replace(p, measurement=dataclasses.replace(p.measurement, thickness=thickness))
    (overlay,) = layers(p.thickness(0.0, 5.0))
    at = [(p.part.rows[q] - p.window.top, p.part.columns[q] - p.window.left) for q in range(4)]
    viridis = raster.ramp(raster.VIRIDIS, raster.STEPS)
    assert tuple(overlay[at[0]]) == (*viridis[0], 255)
    assert tuple(overlay[at[1]]) == (*viridis[-1], 255)
    assert tuple(overlay[at[2]]) == raster.NOT_MEASURED
    middle = round((OUTER - INNER) / 5.0 * (raster.STEPS - 1))
    assert tuple(overlay[at[3]]) == (*viridis[middle], 255)
    assert (overlay[..., 3] > 0).sum() == len(where)


def test_depth_grows_inwards_in_the_picture():
    p = pictures()
    (overlay,) = layers(p.depth())
    cividis = raster.ramp(raster.CIVIDIS, raster.STEPS).astype(int)
    pixels = overlay[p.part.rows - p.window.top, p.part.columns - p.window.left, :3].astype(int)
    shown = np.array([np.abs(cividis - c).sum(1).argmin() for c in pixels]) / (raster.STEPS - 1)
    assert np.abs(shown - p.measurement.depth_equivolume[p.part.where]).max() < 0.02


@pytest.mark.parametrize("count", [1, 3, 250])
def test_layer_pixels(count):
    p = pictures()
    settings = dataclasses.replace(p.measurement.settings, layers=count)
    numbers = (np.arange(len(p.measurement.voxels)) % (count + 1)).astype(np.uint8)
    changed = dataclasses.replace(p.measurement, settings=settings, layers=numbers)
    (overlay,) = layers(dataclasses.replace(p, measurement=changed).layers())
    pixels = overlay[p.part.rows - p.window.top, p.part.columns - p.window.left]
    wanted = np.vstack([raster.NOT_MEASURED[:3], raster.ramp(raster.LAYERS, count)])
    assert (pixels[:, :3] == wanted[numbers[p.part.where]]).all()


def test_layers_are_called_by_number_and_place():
    def names(count: int) -> list[str]:
        return re.findall(r"<span>(.*?)</span>", figures.layer_legend(count))

    assert names(3) == ["1 superficial", "2 middle", "3 deep"]
    assert names(4) == ["1 superficial", "2", "3", "4 deep"]
    assert names(1) == ["1"]


def test_label_pixels_carry_the_tissue_and_nothing_else():
    p = pictures()
    gray, overlay = layers(p.labelled())
    tissue = slices.slice_labels(p.labels, p.part.view, p.part.index, p.window)
    for label, (_, _, colour, alpha) in {3: figures.TISSUES[0], 2: figures.TISSUES[1],
                                         1: figures.TISSUES[2]}.items():  # fmt: skip
        assert (overlay[tissue == label] == raster.rgba(colour, alpha)).all()
    values = slices.slice_values(p.maps["T2star"], p.part.view, p.part.index, p.window)
    range_ = raster.gray_range(values, [tissue == 3, tissue == 2])
    assert (gray[..., 0] == raster.gray_index(values, range_)).all()


def test_cortex_and_white_matter_fill_the_grays_of_a_map_with_bright_csf():
    """As in a T2* map: 25 to 45 ms in the tissue, twice that in CSF."""
    p = pictures()
    tissue = slices.slice_labels(p.labels, p.part.view, p.part.index, p.window)
    array = np.full(p.labels.array.shape, 100.0, np.float32)
    gray = p.labels.array == 3
    array[gray] = np.resize(np.linspace(25, 45, 97), np.count_nonzero(gray))
    array[p.labels.array == 2] = 30.0
    p = dataclasses.replace(p, maps={"T2star": dataclasses.replace(p.labels, array=array)})
    for svg in (p.map("T2star"), p.labelled()):
        shades = layers(svg)[0][..., 0]
        assert np.ptp(shades[tissue == 3].astype(int)) > 250
        assert (shades[tissue == 1] == 255).all()
        white = shades[tissue == 2]
        assert 50 < white.min() == white.max() < 80


def test_a_part_of_a_picture_counts_however_small_it_is():
    values = np.full((100, 100), 5.0)
    small = np.zeros(values.shape, bool)
    small[0, :10] = True
    values[small] = np.linspace(1, 2, 10)
    assert raster.gray_range(values)[0] == 5
    low, high = raster.gray_range(values, [small, ~small])
    assert 1 <= low < 1.1 and high == 5
    assert raster.gray_range(values, [np.zeros_like(small)]) == raster.gray_range(values)


def test_labels_lie_below_where_there_is_no_map():
    p = pictures(maps=())
    gray, _ = layers(p.labelled())
    tissue = slices.slice_labels(p.labels, p.part.view, p.part.index, p.window)
    assert [np.unique(gray[tissue == v, 0]).tolist() for v in (3, 2, 1)] == [[140], [215], [60]]


@pytest.mark.parametrize("spacing", [(0.6, 0.4, 0.4), (0.3, 0.2, 0.5), (0.6, 0.5, 0.25)])
def test_borders_are_drawn_where_they_were_measured(spacing):
    """On a cylinder both ends and the middle of every piece lie at the border's radius."""
    p = pictures(shape=(4, 80, 80), spacing=spacing)
    centre = np.array(p.part.view.shape) / 2
    size = np.array(p.part.view.spacing)
    borders = slices.border_lines(p.measurement, p.part)
    for ends, radius in zip(borders, (OUTER, INNER), strict=True):
        middle = ((ends[:, :2] + ends[:, 2:]) / 2 - centre) * size
        assert np.abs(np.hypot(*middle.T) - radius).max() < 1e-3
        angle = np.sort(np.arctan2(*middle.T))
        gaps = np.diff(np.r_[angle, angle[0] + 2 * np.pi]) * radius
        length = np.hypot(*((ends[:, 2:] - ends[:, :2]) * size).T)
        assert gaps.max() < length.max(), "the line has a gap"
        tangent = ((ends[:, 2:] - ends[:, :2]) * size) / length[:, None]
        assert np.abs((tangent * middle).sum(1)).max() / radius < 1e-3


def test_border_path_is_the_lines_in_fine_units():
    p = pictures()
    path = re.search(r"class='pial' d='M(-?\d+) (-?\d+)l(-?\d+) (-?\d+)", p.labelled())
    first = next(iter(slices.border_lines(p.measurement, p.part)))[0]
    x, y, dx, dy = (int(v) / figures.FINE for v in path.groups())
    assert np.abs(np.array([y, x, y + dy, x + dx]) - first).max() <= 1 / figures.FINE


@pytest.mark.parametrize("spacing", [(1.0, 0.4, 0.4), (1.0, 0.2, 0.5), (1.0, 0.6, 0.3)])
def test_aspect_ratio_and_scale_bar_are_true(spacing):
    """A voxel's drawn height over width, and the bar's length, follow the voxel size."""
    p = pictures(shape=(3, 80, 80), spacing=spacing)
    svg = p.depth()
    outer = re.match(r"<svg class='slice' viewBox='0 0 (\S+) (\S+?)'", svg)
    inner = re.search(r"<svg width='(\S+)' height='(\S+)' preserveAspectRatio='none' "
                      r"viewBox='\S+ \S+ (\S+) (\S+)'", svg)  # fmt: skip
    width, height, columns, rows = (float(v) for v in inner.groups())
    assert (float(outer[1]), float(outer[2])) == (width, height)
    assert (height / rows) / (width / columns) == pytest.approx(spacing[1] / spacing[2], rel=2e-3)
    bar = re.search(r"class='scale-bar' data-mm='(\S+)' d='M\S+ \S+h(\S+)'", svg)
    pixel_mm = columns * spacing[2] / width
    assert float(bar[2]) * pixel_mm == pytest.approx(float(bar[1]), rel=2e-3)
    assert f">{bar[1]} mm</text>" in svg


@given(st.floats(0.01, 1e5))
def test_scale_bar_is_round_and_fits(wide):
    mm = figures.scale_bar_mm(wide)
    assert wide / 11 < mm <= wide / 4 * (1 + 1e-6)
    leading = mm / 10 ** np.floor(np.log10(mm) + 1e-9)
    assert min(abs(leading - v) for v in (1, 2, 5)) < 1e-6


def test_letters_stand_at_their_sides():
    svg = pictures().depth()
    root = ElementTree.fromstring(svg)
    width, height = (float(v) for v in root.get("viewBox").split()[2:])
    found = {t.get("data-side"): t for t in root.iter("text") if t.get("class") == "letter"}
    assert {side: t.text for side, t in found.items()} == {
        "left": "R", "right": "L", "top": "A", "bottom": "P",
    }  # fmt: skip
    assert float(found["left"].get("x")) < 0.1 * width
    assert float(found["right"].get("x")) > 0.9 * width
    assert float(found["top"].get("y")) < 0.1 * height
    assert float(found["bottom"].get("y")) > 0.9 * height


def test_every_picture_is_xml_of_its_own():
    p = pictures(maps=("a <&> 'b'",))
    for svg in (p.labelled(), p.map("a <&> 'b'"), p.thickness(0, 4), p.depth(), p.layers()):
        ElementTree.fromstring(svg)


def test_gray_index_keeps_order_and_survives_odd_maps():
    values = np.linspace(-5, 5, 100).reshape(10, 10)
    assert (np.diff(raster.gray_index(values).astype(int).ravel()) >= 0).all()
    assert raster.gray_index(np.full((2, 2), np.nan)).max() == 0
    assert (raster.gray_index(np.full((2, 2), 1e30)) == 128).all()


def test_tissue_codes_follow_the_settings():
    measurement, _, _ = cylinder()
    settings = dataclasses.replace(measurement.settings, gm=(3, 42), other_bank=(9,))
    codes = figures.tissue_codes(np.array([[0, 1, 2, 3, 42, 9, 7]]), settings)
    assert codes.tolist() == [[0, 3, 2, 1, 1, 4, 0]]


def test_thickness_range_covers_most_of_the_ribbon():
    measurement, _, _ = cylinder()
    low, high = figures.thickness_range(measurement)
    assert low == 0 and OUTER - INNER <= high <= 2 * (OUTER - INNER)
    nothing = np.full(len(measurement.thickness), np.nan, np.float32)
    assert figures.thickness_range(dataclasses.replace(measurement, thickness=nothing)) == (0, 1)
