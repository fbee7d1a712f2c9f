"""What the module relies on in Slicer, as checks that run on the host and in Slicer alike.

That they pass in the application (Testing/slicer_selftest.py) shows that they are true; that they
pass on the host (Testing/Python/test_host.py) shows that the host does the same, and refuses the
same. Each function whose name starts with ``check_`` is one check; it needs an empty scene.
"""

# No postponed annotations here: Slicer looks the types of a class up in its module, and the
# classes below are made inside functions, because slicer.parameterNodeWrapper is not there
# when this file is imported on the host. Older releases know Optional[X], but not X | None.

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Optional

import slicer
import vtk


class Fruit(enum.Enum):
    APPLE = "a"
    PEAR = "p"


@contextmanager
def refused(*kinds: type[Exception]) -> Iterator[None]:
    """The block must raise one of these."""
    try:
        yield
    except kinds:
        return
    raise AssertionError(f"not refused, though {kinds} was expected")


def parameter_class() -> Any:
    from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        count: int
        size: float
        name: str
        flag: bool
        fruit: Fruit
        volume: slicer.vtkMRMLScalarVolumeNode
        either: Optional[slicer.vtkMRMLModelNode]  # noqa: UP045
        names: list[str]
        volumes: list[slicer.vtkMRMLScalarVolumeNode]
        roles: dict[str, str]
        layers: Annotated[int, WithinRange(1, 20)] = 3
        plane: Annotated[str, Choice(["none", "axial"]), Default("axial")]
        maybe: Optional[float]  # noqa: UP045

    return Parameters


def new_node() -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


def new_parameters() -> Any:
    return parameter_class()(new_node())


def new_volume() -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")


def check_fields_start_with_their_defaults() -> None:
    p = new_parameters()
    assert (p.count, p.size, p.name, p.flag) == (0, 0.0, "", False)
    assert type(p.size) is float and p.fruit is Fruit.APPLE
    assert p.volume is None and p.either is None and p.maybe is None
    assert len(p.names) == len(p.volumes) == len(p.roles) == 0
    assert (p.layers, p.plane) == (3, "axial")


def check_values_are_kept_in_the_node() -> None:
    kind, node, volume = parameter_class(), new_node(), new_volume()
    p = kind(node)
    p.count, p.size, p.name, p.flag = 7, 1.5, "x", True
    p.fruit, p.volume, p.names, p.maybe = Fruit.PEAR, volume, ["a", "b"], 2.5
    p.volumes, p.roles = [volume], {"Segment_1": "gray"}
    again = kind(node)
    assert (again.count, again.size, again.name, again.flag) == (7, 1.5, "x", True)
    assert again.fruit is Fruit.PEAR and again.volume is volume and again.maybe == 2.5
    assert list(again.names) == ["a", "b"] and list(again.volumes) == [volume]
    assert dict(again.roles.items()) == {"Segment_1": "gray"}
    texts = {n: node.GetParameter(n) for n in ("flag", "fruit", "names.len", "names.1", "maybe.0")}
    assert texts == {
        "flag": "True",
        "fruit": "PEAR",
        "names.len": "2",
        "names.1": "b",
        "maybe.0": "2.5",
    }
    assert node.GetNodeReference("volume") is volume
    assert [node.GetParameter(f"roles.0.{n}") for n in (0, 1)] == ["Segment_1", "gray"]


def check_wrong_types_are_refused() -> None:
    p = new_parameters()
    wrong: list[tuple[str, Any, type[Exception]]] = [
        ("count", 1.5, TypeError),
        ("count", "1", TypeError),
        ("count", None, ValueError),
        ("size", "1", TypeError),
        ("size", None, ValueError),
        ("name", 1, TypeError),
        ("name", None, ValueError),
        ("flag", 1, TypeError),
        ("flag", None, ValueError),
        ("fruit", "PEAR", TypeError),
        ("volume", slicer.vtkMRMLModelNode(), TypeError),
        ("volume", "vtkMRMLScalarVolumeNode1", TypeError),
        ("either", 1, TypeError),
        ("maybe", "1", TypeError),
        ("maybe", True, TypeError),
        ("names", [1], TypeError),
        ("roles", {"a": 1}, TypeError),
        ("volumes", None, TypeError),
    ]
    for name, value, error in wrong:
        before = getattr(p, name)
        with refused(error):
            setattr(p, name, value)
        assert getattr(p, name) == before, name


def check_whole_numbers_are_numbers() -> None:
    p = new_parameters()
    p.size = 2
    assert p.size == 2.0 and type(p.size) is float


def check_validators_refuse() -> None:
    p = new_parameters()
    for name, value in (("layers", 0), ("layers", 21), ("plane", "sagittal")):
        with refused(ValueError):
            setattr(p, name, value)
    p.layers, p.plane = 20, "none"
    assert (p.layers, p.plane) == (20, "none")


def check_a_default_out_of_range_is_refused_when_the_node_is_wrapped() -> None:
    from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

    @parameterNodeWrapper
    class Bad:
        count: Annotated[int, WithinRange(0, 1)] = 5

    with refused(ValueError):
        Bad(new_node())


def check_unknown_kinds_of_fields_are_refused() -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Bad:
        thing: complex

    with refused(Exception):
        parameterNodeWrapper(Bad)


def check_reserved_names_are_refused() -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    for name in ("default", "getValue", "connectGui", "AddObserver", "Modified"):
        with refused(ValueError):
            parameterNodeWrapper(type("Bad", (), {"__annotations__": {name: int}}))


def check_fields_by_name() -> None:
    p = new_parameters()
    p.setValue("count", 4)
    assert p.getValue("count") == 4 and p.default("layers").value == 3
    assert type(p).dataType("count") is int
    for call in (p.getValue, p.default, p.isCached, p.dataType):
        with refused(ValueError):
            call("nothing")


def check_lists_write_themselves() -> None:
    kind, node = parameter_class(), new_node()
    p = kind(node)
    p.names.append("a")
    p.names += ["b", "c"]
    p.names.remove("a")
    p.names[0] = "d"
    assert list(kind(node).names) == ["d", "c"] and p.names == ["d", "c"]
    with refused(NotImplementedError):
        p.names + ["e"]
    with refused(TypeError):
        p.names.append(1)
    assert list(p.names) == ["d", "c"]


def check_dictionaries_write_themselves() -> None:
    kind, node = parameter_class(), new_node()
    p = kind(node)
    p.roles["a"] = "x"
    p.roles["b"] = "y"
    del p.roles["a"]
    assert dict(kind(node).roles.items()) == {"b": "y"}
    assert p.roles.get("b") == "y" and p.roles.get("c") is None and "c" not in p.roles
    with refused(TypeError):
        p.roles.get("c", "no default here")
    with refused(TypeError):
        p.roles.pop("c", "no default here")


def check_changes_from_outside_are_seen() -> None:
    kind, node = parameter_class(), new_node()
    one, other = kind(node), kind(node)
    one.count = 9
    assert other.count == 9
    node.SetParameter("count", "11")
    assert one.count == 11


def check_observers_see_the_new_value() -> None:
    p, seen = new_parameters(), []
    tag = p.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: seen.append(p.count))
    p.count = 5
    assert seen == [5]
    with slicer.util.NodeModify(p):
        p.count = 6
        p.size = 1.0
        assert seen == [5]
    assert seen == [5, 6]
    p.RemoveObserver(tag)
    p.count = 7
    assert seen == [5, 6]


def check_deleted_nodes_are_none() -> None:
    p, volume = new_parameters(), new_volume()
    p.volume, p.volumes = volume, [volume]
    slicer.mrmlScene.RemoveNode(volume)
    assert p.volume is None
    assert list(p.volumes) == [None]


def check_a_prefix_parts_two_wrappers() -> None:
    kind, node = parameter_class(), new_node()
    left, right = kind(node, "left."), kind(node, "right.")
    left.count = 1
    assert right.count == 0 and node.GetParameter("left.count") == "1"


def check_the_logic_has_one_parameter_node() -> None:
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    logic = type("SomeModuleLogic", (ScriptedLoadableModuleLogic,), {})()
    node = logic.getParameterNode()
    assert logic.moduleName == "SomeModule" and logic.getParameterNode() is node
    assert node.GetAttribute("ModuleName") == "SomeModule"
    assert node.GetSingletonTag() == "SomeModule"
    assert logic.getAllParameterNodes() == [node]
    # Closing the scene leaves a singleton in it, without what it held.
    node.SetParameter("x", "1")
    slicer.mrmlScene.Clear(0)
    assert logic.getParameterNode().GetAttribute("ModuleName") == "SomeModule"
    assert logic.getParameterNode().GetParameter("x") == ""


def check_texts_come_back_as_texts() -> None:
    from slicer.i18n import getContext, tr, translate

    assert tr("{count} voxels") == "{count} voxels" and translate("Any", "a") == "a"
    assert getContext("/nowhere/Module.py") in ("Module", "Module.py")
    for nothing in (None, 5):
        with refused(Exception):
            tr(nothing)


def check_sample_data_needs_addresses() -> None:
    import SampleData

    register = SampleData.SampleDataLogic.registerCustomSampleDataSource
    with refused(TypeError):
        register(category="Host", sampleName="no address", customDownloader=print)
    with refused(ValueError):
        register(category="Host", sampleName="two", uris=["a", "b"], fileNames=["a"])
    for _ in range(2):  # the second is the same one
        register(category="Host", sampleName="A", uris="", fileNames="a", customDownloader=print)
    assert len(SampleData.SampleDataLogic.sampleDataSourcesByCategory("Host")) == 1
    del slicer.modules.sampleDataSources["Host"]


def check_the_application_refuses_unknown_names() -> None:
    with refused(AttributeError):
        slicer.app.noSuchThing()
    assert slicer.app.mrmlScene() is slicer.mrmlScene


def check_scenes_are_saved_and_loaded(folder: str) -> None:
    kind, node = parameter_class(), new_node()
    kind(node).names = ["a", "b"]
    node.SetName("Kept")
    file = f"{folder}/scene.mrb"
    assert slicer.util.saveScene(file)
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(file)
    assert list(kind(slicer.util.getNode("Kept")).names) == ["a", "b"]


def all_checks() -> dict[str, Callable[..., None]]:
    """The checks by name."""
    return {n: f for n, f in globals().items() if n.startswith("check_")}


def run_all(folder: str) -> list[str]:
    """Run every check on an empty scene, and return what failed."""
    import traceback

    failed = []
    for name, check in all_checks().items():
        slicer.mrmlScene.Clear(0)
        try:
            check(folder) if "folder" in check.__annotations__ else check()
        except Exception:
            failed.append(f"{name}\n{traceback.format_exc()}")
    return failed
