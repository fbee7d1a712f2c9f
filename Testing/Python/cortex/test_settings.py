"""Settings that can be used, and the sentences about those that cannot."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.settings import DEPTHS, LABEL_STYLES, PLANES, Settings
from known_ribbons import SETTINGS

NAN, INF = float("nan"), float("inf")
# Any text: the default of st.text() excludes surrogates, too, by trying all characters first.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_single_label_and_lists_become_tuples() -> None:
    settings = Settings(gm=3, wm=[2, 4], csf=(1,))  # type: ignore[arg-type]
    assert (settings.gm, settings.wm, settings.csf) == ((3,), (2, 4), (1,))
    assert settings.problem() is None
    settings.check()


def test_the_opposite_bank_alone_is_a_pial_border() -> None:
    assert Settings(gm=(3,), wm=(2,), csf=(), other_bank=(4,)).problem() is None


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"gm": ()}, "No gray-matter label"),
        ({"wm": ()}, "No white-matter label"),
        ({"csf": ()}, "no pial border"),
        ({"gm": (0, 3)}, "Label 0 is the background"),
        ({"wm": (2, 3)}, "3 is given to both gm and wm"),
        ({"other_bank": (1,)}, "1 is given to both csf and other_bank"),
        ({"label_style": "rims"}, "label_style must be one of: tissue, rim"),
        ({"plane": "oblique"}, "plane must be one of: none, axial"),
        ({"layer_depth": "laplace"}, "layer_depth must be one of: equivolume, equidistant"),
        ({"layers": 0}, "layers must be between"),
        ({"layers": 251}, "layers must be between"),
        ({"bins": 0}, "bins must be between"),
        ({"bins": 1001}, "bins must be between"),
        ({"fill_holes_mm3": -0.1}, "fill_holes_mm3"),
        ({"fill_holes_mm3": NAN}, "fill_holes_mm3"),
        ({"drop_islands_mm3": -0.1}, "drop_islands_mm3"),
        ({"drop_islands_mm3": NAN}, "drop_islands_mm3"),
        ({"confidence": 0.0}, "confidence"),
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": NAN}, "confidence"),
        ({"bootstrap": -1}, "bootstrap must be between"),
        ({"bootstrap": 100_001}, "bootstrap must be between"),
        ({"column_mm": 0.0}, "column_mm"),
        ({"column_mm": NAN}, "column_mm"),
        ({"column_mm": INF}, "column_mm"),
        ({"seed": -1}, "seed"),
        ({"max_angle": 0.0}, "max_angle must be above 0"),
        ({"max_angle": 90.5}, "at most 90"),
        ({"max_angle": NAN}, "max_angle"),
        ({"reference": "gray"}, "reference must be"),
        ({"reference": "region:"}, "reference must be"),
        ({"iron": {"QSM": "positive"}}, "iron must be bright or dark"),
    ],
)
def test_what_cannot_be_used_is_named(changes, says: str) -> None:
    settings = SETTINGS.with_values(changes)
    assert says in str(settings.problem())
    with pytest.raises(InputError) as caught:
        settings.check()
    assert str(caught.value) == settings.problem()


@given(
    st.fixed_dictionaries(
        {
            "gm": st.sets(st.integers(10, 20), min_size=1),
            "label_style": st.sampled_from(LABEL_STYLES),
            "plane": st.sampled_from(PLANES),
            "layers": st.integers(1, 250),
            "bins": st.integers(1, 1000),
            "layer_depth": st.sampled_from(DEPTHS),
            "column_mm": st.floats(0.01, 10),
            "confidence": st.floats(0.01, 0.99),
            "reference": st.sampled_from(["none", "csf", "region:foot"]),
            "iron": st.dictionaries(TEXT, st.sampled_from(["bright", "dark"])),
        }
    )
)
def test_settings_survive_json(values) -> None:
    settings = SETTINGS.with_values({**values, "gm": sorted(values["gm"])})
    assert settings.problem() is None
    assert SETTINGS.with_values(json.loads(settings.to_json())) == settings


def test_json_has_every_setting_in_order() -> None:
    names = list(json.loads(SETTINGS.to_json()))
    assert names == sorted(SETTINGS.__dataclass_fields__)


def test_with_values_changes_a_copy() -> None:
    changed = SETTINGS.with_values({"layers": 5.0, "wm": "7", "column_mm": 2})
    assert (changed.layers, changed.wm, changed.column_mm) == (5, (7,), 2.0)
    assert SETTINGS.layers == 3
    assert isinstance(changed.layers, int) and isinstance(changed.column_mm, float)


def test_unknown_settings_are_listed_with_the_known() -> None:
    with pytest.raises(InputError, match=r"Unknown setting colour, layer\. Known are: bins"):
        SETTINGS.with_values({"layer": 3, "colour": 1})


@pytest.mark.parametrize(
    "name, value",
    [
        ("layers", 2.5),
        ("layers", "many"),
        ("layers", None),
        ("layers", INF),
        ("layers", NAN),
        ("column_mm", "wide"),
        ("column_mm", [1.0]),
        ("gm", "gray"),
        ("gm", [1.5]),
        ("gm", [INF]),
        ("gm", None),
        ("iron", "bright"),
        ("iron", 3),
    ],
)
def test_values_of_the_wrong_kind_name_their_setting(name: str, value) -> None:
    with pytest.raises(InputError, match=f"Setting {name} is "):
        SETTINGS.with_values({name: value})
