"""A measurement comes back from its bytes as it was."""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.record import from_bytes, to_bytes
from ALSMotorCortexLib.cortex.result import Finding, Measurement
from measured_cylinder import cylinder

FINDINGS = (
    Finding("holes_filled", "Two holes of 1.5 mm³ were filled.", True, (1.0, -2.5, 3.0)),
    Finding("nothing", "No place."),
)


@pytest.fixture(scope="module")
def measured():
    # A region and a map of awkward names; one value that could not be measured.
    found, labels, _ = cylinder(maps=("T2*/a.b", "arrays"), regions=("left_hand", "ribbon 0"))
    found.thickness[3] = np.nan
    return replace(found, findings=FINDINGS), labels


def alike(one, other) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype != bool)
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[k], other[k]) for k in one)
    return repr(one) == repr(other)


def test_every_field_comes_back(measured):
    found, labels = from_bytes(to_bytes(*measured))
    same = {f.name: alike(getattr(found, f.name), getattr(measured[0], f.name))
            for f in fields(Measurement) if f.name != "grid"}  # fmt: skip
    assert all(same.values()), same
    assert type(found.findings[0].ras) is tuple
    assert np.array_equal(labels.array, measured[1].array)
    assert found.grid.shape == measured[0].grid.shape == labels.grid.shape
    assert np.array_equal(found.grid.ijk_to_ras, measured[0].grid.ijk_to_ras)


def test_angle_and_corrected_thickness_come_back(measured):
    found, labels = measured
    angle = np.linspace(0, 70, len(found.voxels), dtype=np.float32)
    found = replace(found, angle=angle, thickness_corrected=angle / 10)
    again, _ = from_bytes(to_bytes(found, labels))
    assert alike(again.angle, found.angle)
    assert alike(again.thickness_corrected, found.thickness_corrected)
    assert alike(again.steep, found.steep) and found.steep.any()


def test_it_takes_less_room_than_its_arrays(measured):
    found, labels = measured
    arrays = [labels.array, found.voxels, found.thickness, found.normals, found.columns]
    assert len(to_bytes(found, labels)) < sum(array.nbytes for array in arrays)


def rewritten(data: bytes, **changes) -> bytes:
    """The bytes with other values in the text part; None drops a value."""
    with np.load(io.BytesIO(zlib.decompress(data))) as file:
        arrays = dict(file)
    rest = json.loads(arrays["rest.json"].tobytes()) | changes
    text = json.dumps({k: v for k, v in rest.items() if v is not None})
    arrays["rest.json"] = np.frombuffer(text.encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return zlib.compress(file.getvalue())


def test_a_version_that_knows_more_or_less_is_read_where_it_can_be(measured):
    data = to_bytes(*measured)
    settings = json.loads(json.dumps(measured[0].settings.__dict__)) | {"new_setting": 1}
    found, _ = from_bytes(rewritten(data, settings=settings, seconds=None, other=1))
    assert found.settings == measured[0].settings and found.seconds == {}


@pytest.mark.parametrize("changes", [{"format": 99}, {"measures": None}, {"settings": {"gm": "x"}}])
def test_what_cannot_be_read_says_so(measured, changes):
    with pytest.raises(InputError):
        from_bytes(rewritten(to_bytes(*measured), **changes))


@pytest.mark.parametrize("data", [b"", b"no record", zlib.compress(b"no record")])
def test_damaged_bytes_say_so(data):
    with pytest.raises(InputError, match="Measure again"):
        from_bytes(data)
