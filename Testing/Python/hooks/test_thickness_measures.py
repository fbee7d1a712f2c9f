"""Measures of single segments, on real segmentation and volume nodes."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.sr.codedict import codes

from ALSMotorCortexLib.cortex.errors import Cancelled, InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.settings import Settings

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.hooks import thickness_measures as tm  # noqa: E402
from ALSMotorCortexLib.scene.geometry import voxels  # noqa: E402
from ALSMotorCortexLib.scene.results import new_scene  # noqa: E402
from ALSMotorCortexLib.scene.segmentations import Segment, add_segmentation  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume  # noqa: E402

WM, NEAR, FAR, CSF, EMPTY = 1, 2, 3, 4, 5
THICKNESS = 3.0
NAMES = {NEAR: "M1 near", FAR: "M1 far", WM: "White matter", CSF: "CSF", EMPTY: "Lesion"}


def labels() -> Image:
    """A flat cortex, 3 mm along anterior, in two halves along right; 0.5 mm voxels."""
    array = np.full((6, 24, 16), CSF, np.uint8)
    array[:, :16, :8] = NEAR
    array[:, :16, 8:] = FAR
    array[:, :10] = WM
    return Image(array, Grid.from_spacing(array.shape, (0.5, 0.5, 0.5)), "drawn")


def signal(image: Image) -> Image:
    """Rises from 10 to 22 through the cortex, from white matter to CSF, 4 a millimetre."""
    anterior = (np.arange(image.array.shape[1]) - 9.5) * 0.5
    values = np.broadcast_to((10 + 4 * anterior)[None, :, None], image.array.shape)
    return Image(values.astype(np.float32), image.grid, "T2star")


class Case:
    """A scene with a segmentation and a volume, and a count of the measurements made."""

    def __init__(self, names=NAMES) -> None:
        self.scene = new_scene()
        image = labels()
        segments = [Segment((value,), name, (1, 0, 0)) for value, name in names.items()]
        self.segmentation = add_segmentation(self.scene, image, segments, "Seg")
        self.volume = add_volume(self.scene, signal(image))
        self.measures = tm.SegmentMeasures()
        self.runs = 0

    def id(self, value, names=NAMES):
        return f"Segment_{list(names).index(value) + 1}"

    def of(self, value, volume=True):
        return self.measures.of(
            self.segmentation, self.id(value), self.volume if volume else None, self.count
        )

    def count(self, step, fraction) -> None:
        self.runs += fraction == 0.0


@pytest.fixture(scope="module")
def known() -> Case:
    return Case()


# --- Codes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reference"),
    [
        (tm.CORTEX, codes.cid7151.CerebralCortex),
        (tm.LENGTH, codes.cid7470.Length),
        (tm.AREA, codes.cid7471.Area),
        (tm.VOLUME, codes.cid7472.Volume),
        (tm.MEAN, codes.cid7464.Mean),
        (tm.MEDIAN, codes.cid7464.Median),
        (tm.DEVIATION, codes.cid7464.StandardDeviation),
        (tm.PERCENTILE_05, codes.cid7465._5thPercentileValueOfPopulation),
        (tm.PERCENTILE_95, codes.cid7465._95thPercentileValueOfPopulation),
        (tm.VOXEL_SUM, codes.cid7474.SumOfSegmentedVoxelMethodForVolume),
        (tm.UNITS["mm"], codes.cid7460.Millimeter),
        (tm.UNITS["mm2"], codes.cid7461.SquareMillimeter),
        (tm.UNITS["mm3"], codes.cid7462.CubicMillimeter),
        (tm.UNITS["1"], codes.cid7181.NoUnits),
    ],
    ids=lambda c: c.meaning,
)
def test_codes_are_those_of_dicom(code, reference) -> None:
    assert (code.value, code.scheme) == (reference.value, reference.scheme_designator)


def test_codes_are_written_as_slicer_reads_them() -> None:
    entry = slicer.vtkCodedEntry()
    assert entry.SetFromString(str(tm.VOXEL_SUM))
    found = (entry.GetCodeValue(), entry.GetCodingSchemeDesignator(), entry.GetCodeMeaning())
    assert found == (tm.VOXEL_SUM.value, tm.VOXEL_SUM.scheme, tm.VOXEL_SUM.meaning)


# --- Descriptions ------------------------------------------------------------------------


def test_every_quantity_is_one_that_measure_gives(known) -> None:
    image = labels()
    settings = Settings(gm=(NEAR, FAR), wm=(WM,), csf=(CSF,), layers=tm.LAYERS, bootstrap=0)
    maps = dict.fromkeys(("T2star", "R2star"), signal(image))
    result = measure(image, settings, maps, units=dict.fromkeys(maps, "ms"))
    units = {m.measure: m.unit for m in result.measures}
    for key, quantity in tm.QUANTITIES.items():
        assert units[key] == {"map": "ms"}.get(quantity.unit, quantity.unit)


def test_names_and_titles_are_unique() -> None:
    for column in ("name", "title"):
        values = [tm.description_of(key)[column] for key in tm.QUANTITIES]
        assert len(set(values)) == len(values)
    assert set(tm.DEFAULT) <= set(tm.QUANTITIES)
    assert not any("." in key for key in tm.QUANTITIES)  # Slicer's separator


def test_units_and_quantity_of_the_volume_are_taken_over() -> None:
    volume = Case().volume
    for setter, code in (
        (volume.SetVoxelValueQuantity, ("113063", "DCM", "T2*")),
        (volume.SetVoxelValueUnits, ("ms", "UCUM", "millisecond")),
    ):
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(*code)
        setter(entry)
    info = tm.description_of("layer_1_mean", volume)
    assert info["units"] == "millisecond"
    assert "113063" in info["quantityDicomCode"]
    assert "UCUM" in info["unitsDicomCode"]
    assert tm.MEAN.value in info["derivationDicomCode"]
    thickness = tm.description_of("thickness_mean", volume)
    assert thickness["units"] == "mm"
    assert tm.LENGTH.value in thickness["quantityDicomCode"]


def test_a_volume_without_codes_leaves_them_out() -> None:
    info = tm.description_of("mean", Case().volume)
    assert info["units"] == ""
    assert info["quantityDicomCode"] == info["unitsDicomCode"] == ""


# --- Values ------------------------------------------------------------------------------


def test_each_segment_of_cortex_gets_its_own_measures(known) -> None:
    for value in (NEAR, FAR):
        found = known.of(value)
        assert found["thickness_mean"] == pytest.approx(THICKNESS, rel=0.02)
        assert found["ribbon_volume"] == pytest.approx(THICKNESS * 3.0 * 4.0, rel=0.02)
        assert found["layer_1_mean"] == pytest.approx(20.0, abs=0.5)
        assert found["layer_3_mean"] == pytest.approx(12.0, abs=0.5)
        assert found["deep_hypointensity"] == pytest.approx(1 - 12 / 20, abs=0.03)
        assert all(isinstance(v, float) for v in found.values())


def test_what_is_no_cortex_gets_none(known) -> None:
    assert [known.of(value) for value in (WM, CSF, EMPTY)] == [{}, {}, {}]


def test_all_segments_cost_one_run(known) -> None:
    case = Case()
    for value in (*NAMES, *NAMES):
        case.of(value)
    assert case.runs == 1


def test_without_a_volume_there_is_geometry_only() -> None:
    found = Case().of(NEAR, volume=False)
    assert "thickness_mean" in found
    assert "mean" not in found


def test_a_segmentation_without_cortex_is_left_alone() -> None:
    case = Case({WM: "Liver", NEAR: "Spleen", FAR: "Left kidney", CSF: "Air", EMPTY: "x"})
    assert case.of(NEAR) == {}
    assert case.runs == 0


def test_parts_named_as_regions_are_the_cortex_where_nothing_else_is() -> None:
    case = Case({**NAMES, NEAR: "Hand", FAR: "Foot"})
    assert case.of(NEAR)["thickness_mean"] == pytest.approx(THICKNESS, rel=0.02)


def test_a_turned_segmentation_measures_the_same(known) -> None:
    case = Case()
    turn = vtk.vtkTransform()
    turn.RotateX(25)
    turn.RotateZ(40)
    parent = case.scene.AddNewNodeByClass("vtkMRMLTransformNode", "Turn")
    parent.SetAndObserveTransformToParent(turn)
    for node in (case.segmentation, case.volume):
        node.SetAndObserveTransformNodeID(parent.GetID())
    found = case.of(FAR)
    for key, value in known.of(FAR).items():
        assert found[key] == pytest.approx(value, rel=1e-3, abs=1e-6)


# --- When to measure again ---------------------------------------------------------------


def paint(case: Case) -> None:
    node = case.segmentation
    data = node.GetSegmentation().GetSegment(case.id(NEAR)).GetRepresentation("Binary labelmap")
    data.SetScalarComponentFromDouble(2, 12, 2, 0, 0)
    data.GetPointData().GetScalars().Modified()


def remove(case: Case) -> None:
    case.segmentation.GetSegmentation().RemoveSegment(case.id(FAR))


def change_volume(case: Case) -> None:
    slicer.util.arrayFromVolume(case.volume)[:] *= 2
    case.volume.GetImageData().GetPointData().GetScalars().Modified()


def move(case: Case) -> None:
    parent = case.scene.AddNewNodeByClass("vtkMRMLTransformNode", "Moved")
    case.volume.SetAndObserveTransformNodeID(parent.GetID())


@pytest.mark.parametrize("change", [paint, remove, change_volume, move])
def test_a_change_is_measured_anew(change) -> None:
    case = Case()
    case.of(NEAR)
    change(case)
    case.of(NEAR)
    case.of(NEAR)
    assert case.runs == 2


def test_a_moving_transform_is_noticed() -> None:
    case = Case()
    move(case)
    case.of(NEAR)
    shift = vtk.vtkMatrix4x4()
    shift.SetElement(0, 3, 0.5)
    case.volume.GetParentTransformNode().SetMatrixTransformToParent(shift)
    case.of(NEAR)
    assert case.runs == 2


def test_a_renamed_tissue_is_noticed() -> None:
    case = Case()
    assert case.of(NEAR)
    case.segmentation.GetSegmentation().GetSegment(case.id(WM)).SetName("Other")
    with pytest.raises(InputError, match="white matter"):
        case.of(NEAR)


# --- What goes wrong ---------------------------------------------------------------------


def test_a_failure_is_told_once_a_round() -> None:
    case = Case()
    away = vtk.vtkMatrix4x4()
    away.SetElement(0, 3, 500)
    case.volume.ApplyTransformMatrix(away)
    for _ in range(2):
        with pytest.raises(InputError, match="overlap in space"):
            case.of(NEAR)
        assert case.of(FAR) == {}
        assert case.of(WM) == {}


@pytest.mark.parametrize(("lost", "said"), [(WM, "white matter"), (CSF, "CSF")])
def test_a_missing_tissue_is_named(lost, said) -> None:
    case = Case()
    case.segmentation.GetSegmentation().RemoveSegment(case.id(lost))
    with pytest.raises(InputError, match=f"that it is {said}"):
        case.of(NEAR)


def test_messages_speak_of_segments_not_of_options() -> None:
    """Cortex that touches no CSF; the command line's words for it are its options."""
    case = Case()
    data = case.segmentation.GetSegmentation().GetSegment(case.id(CSF))
    layer = voxels(data.GetRepresentation("Binary labelmap"))
    layer[:, 15:18] = 0
    data.GetRepresentation("Binary labelmap").GetPointData().GetScalars().Modified()
    with pytest.raises(InputError) as told:
        case.of(NEAR)
    assert "--" not in str(told.value)


def test_a_cancelled_run_can_be_started_again() -> None:
    case = Case()

    def cancel(step, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        case.measures.of(case.segmentation, case.id(NEAR), case.volume, cancel)
    assert case.of(FAR) == {}
    assert case.of(NEAR)["thickness_mean"] == pytest.approx(THICKNESS, rel=0.02)
    assert case.of(FAR)["thickness_mean"] == pytest.approx(THICKNESS, rel=0.02)
