"""The project's frame: which part may import which, and that no list lags behind the tree."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "ALSMotorCortex"
PACKAGE = MODULE / "ALSMotorCortexLib"
TESTS = ROOT / "Testing" / "Python"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Parts of the package that each part may import, besides itself and the root (the version).
MAY_IMPORT = {
    "cortex": set(),
    "scene": {"cortex"},
    "study": {"cortex"},
    "report": {"cortex"},
    "hooks": {"cortex", "scene"},
    "batch": {"cortex", "study", "report", "analyze", "maps", "group", "child_process", "stopping"},
    "panel": {"cortex", "scene", "study", "report", "hooks", "sample_data"},
}
# Other packages that a part may never import, not even inside a function.
QT = {"qt", "ctk", "PythonQt", "PyQt5", "PySide6", "qSlicerApplicationPythonQt"}
NEVER = {
    "cortex": QT | {"slicer", "vtk", "vtkmodules", "matplotlib"},
    "scene": QT,
    "study": QT | {"slicer"},
    "report": QT | {"slicer"},
    "batch": QT | {"slicer"},
    "hooks": set(),
    "panel": set(),
    "": QT,
}
# What Slicer bundles, and so may be imported when a module is loaded.
BUNDLED = {"numpy", "scipy", "SimpleITK", "vtk", "vtkmodules", "pydicom"}

# What only the application has; the panel and the hooks are loaded by it alone.
APPLICATION = {
    "AbstractScriptedSegmentEditorEffect",
    "AbstractScriptedSubjectHierarchyPlugin",
    "SampleData",
    "SegmentEditorEffects",
    "SegmentStatistics",
    "SegmentStatisticsPlugins",
    "SubjectHierarchyPlugins",
    "ctk",
    "qSlicerSegmentationsEditorEffectsPythonQt",
    "qt",
}

# Files at the package's root that work in a scene, and so are not for the command line.
OF_THE_MODULE = {"module_logic.py"}

# The modules, each with the prefix of its variables in ALSMotorCortex/CMakeLists.txt. What does
# not have the second one's name is listed with the first.
MODULES = {"MODULE": "ALSMotorCortex", "READING": "ALSMotorCortexReading"}

# Test files for something other than one file of the library.
OWN_SUBJECT = {
    "test_structure.py": "this file",
    "test_headless.py": "Testing/headless.py",
    "test_host.py": "Testing/host",
    "test_module.py": "ALSMotorCortex.py",
    "test_reading_module.py": "ALSMotorCortexReading.py",
    "test_ui.py": "the panel",
    "test_benchmark.py": "Testing/Benchmark",
    "test_simulated_study.py": "Testing/Benchmark/simulated_study.py",
}


def part_of(source: Path) -> str:
    """The part of the package that a file belongs to; empty at the package's root."""
    parts = source.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def place_of(source: Path) -> str:
    return source.relative_to(PACKAGE).as_posix()


def imports(
    tree: ast.AST, package: tuple[str, ...], inside: bool = True
) -> Iterator[tuple[str, int]]:
    """Absolute names that a file imports, with their lines.

    Args:
        tree: the parsed file.
        package: the package that relative names start from.
        inside: whether to look inside functions too. What only runs for a type checker is
            never looked at.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{stem}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from imports(other, package, inside)
        elif inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(node, package, inside)


@cache
def parsed(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"))


def imports_of(source: Path, inside: bool = True) -> list[tuple[str, int]]:
    package = (PACKAGE.name, *source.relative_to(PACKAGE).parts[:-1])
    return list(imports(parsed(source), package, inside))


def test_import_reader_resolves_names_and_tells_load_time_from_later() -> None:
    text = (
        "from __future__ import annotations\nimport numpy.linalg\nfrom ..cortex import grid\n"
        "from . import nodes\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    import qt\ntry:\n    import vtk\nexcept ImportError:\n    pass\n"
        "class A:\n    import ctk\n    def f(self):\n        import matplotlib.pyplot\n"
    )
    tree, package = ast.parse(text), ("ALSMotorCortexLib", "scene")
    at_load = {name for name, _ in imports(tree, package, inside=False)}
    assert at_load == {
        "__future__.annotations",
        "numpy.linalg",
        "ALSMotorCortexLib.cortex.grid",
        "ALSMotorCortexLib.scene.nodes",
        "typing.TYPE_CHECKING",
        "vtk",
        "ctk",
    }
    assert {name for name, _ in imports(tree, package)} - at_load == {"matplotlib.pyplot"}


def test_imports_point_downwards() -> None:
    assert {part_of(s) for s in SOURCES} == set(NEVER), "say here what each part may import"
    assert not [text for source in SOURCES for text in wrong_directions(source)]


def wrong_directions(source: Path) -> Iterator[str]:
    """What a file imports and its part must not, in words."""
    part = part_of(source)
    for name, line in imports_of(source):
        top, *rest = name.split(".")
        if top in NEVER[part]:
            yield f"{place_of(source)}:{line}: {part or 'the package'} never imports {top}"
        if top == PACKAGE.name and part and rest:
            target = rest[0]
            is_part = (PACKAGE / target).is_dir() or (PACKAGE / f"{target}.py").is_file()
            if is_part and target not in MAY_IMPORT[part] | {part}:
                yield f"{place_of(source)}:{line}: {part} does not import {target}"


def test_only_what_slicer_bundles_is_imported_at_load() -> None:
    assert not [text for source in SOURCES for text in not_bundled(source)]


def not_bundled(source: Path) -> Iterator[str]:
    """What a file imports when it is loaded, and Slicer does not bring, in words."""
    allowed = sys.stdlib_module_names | BUNDLED | {PACKAGE.name}
    if part_of(source) in {"scene", "hooks", "panel"} or source.name in OF_THE_MODULE:
        allowed |= {"slicer"}
    if part_of(source) in {"hooks", "panel"}:
        allowed |= APPLICATION
    for name, line in imports_of(source, inside=False):
        if name.split(".")[0] not in allowed:
            yield f"{place_of(source)}:{line}: import {name} inside the function that needs it"


def test_every_package_that_is_imported_is_pinned() -> None:
    """Also what is imported inside functions: the environment must have it."""
    lines = (ROOT / "Testing" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    called = {"slicer": "slicer-core", "vtkmodules": "vtk", "mpl_toolkits": "matplotlib"}
    imported = {name.split(".")[0] for source in SOURCES for name, _ in imports_of(source)}
    needed = imported - sys.stdlib_module_names - {PACKAGE.name} - APPLICATION
    assert "numpy" in needed
    unpinned = {called.get(name, name.lower()) for name in needed} - pinned
    # Optional packages are extras of pyproject.toml, and the tests' environment has them.
    extras = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    tests = (ROOT / "Testing" / "requirements-dev.txt").read_text(encoding="utf-8")
    assert not [n for n in unpinned if f'["{n}>=' not in extras or f"\n{n}==" not in tests]


def test_everything_public_in_cortex_is_documented() -> None:
    of_cortex = [source for source in SOURCES if part_of(source) == "cortex"]
    assert of_cortex
    assert not {s: names for s in of_cortex if (names := undocumented(s))}


def undocumented(source: Path) -> list[str]:
    """Names without a docstring in a file, and the file's own where it has none.

    A method may leave its words to a protocol or base class in the same file.
    """
    tree = parsed(source)
    classes = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
    shared = {
        method.name
        for node in classes.values()
        if {b.id for b in node.bases if isinstance(b, ast.Name)} & {"Protocol", "ABC"}
        for method in public(node)
        if ast.get_docstring(method)
    }
    missing = [] if ast.get_docstring(tree) else ["the file"]
    missing += [n.name for n in public(tree) if not ast.get_docstring(n)]
    for name, node in classes.items():
        if name[0] != "_":
            methods = (m for m in public(node) if not ast.get_docstring(m))
            missing += [f"{name}.{m.name}" for m in methods if m.name not in shared]
    return missing


def public(node: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes directly inside, without underscore names."""
    return [
        n for n in node.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name[0] != "_"
    ]


def test_test_files_mirror_the_library() -> None:
    """``x/test_y.py`` or ``x/test_y_anything.py`` belongs to ``x/y.py``."""
    strays = []
    for test in TESTS.rglob("test_*.py"):
        name = test.relative_to(TESTS).as_posix()
        words = test.stem.removeprefix("test_").split("_")
        stems = ["_".join(words[:n]) for n in range(1, len(words) + 1)]
        folder = PACKAGE / test.relative_to(TESTS).parent
        if name not in OWN_SUBJECT and not any((folder / f"{s}.py").is_file() for s in stems):
            strays.append(name)
    assert not strays, "no library file of that name in the same place"


# --- CMake -------------------------------------------------------------------------------


def cmake_block(prefix: str, kind: str, files: list[str]) -> str:
    """The ``set`` command as it stands in ALSMotorCortex/CMakeLists.txt."""
    entries = [f.replace(MODULES[prefix], f"${{{prefix}_NAME}}", 1) for f in files]
    return "\n  ".join([f"set({prefix}_PYTHON_{kind}", *entries, ")"])


@pytest.mark.parametrize("kind", ["SCRIPTS", "RESOURCES"])
@pytest.mark.parametrize("prefix", MODULES)
def test_cmake_lists_what_is_in_the_tree(prefix: str, kind: str) -> None:
    """Slicer installs what is listed and nothing else; one missing name breaks the import."""
    folders = [PACKAGE, MODULE / "Resources"]
    files = [f for folder in folders for f in folder.rglob("*")] + list(MODULE.glob("*.py"))
    names = sorted(
        f.relative_to(MODULE).as_posix()
        for f in files
        if f.is_file()
        and f.suffix != ".pyc"
        and not f.name.startswith(".")
        and (f.suffix == ".py") is (kind == "SCRIPTS")
        and (MODULES["READING"] in f.name) is (prefix == "READING")
    )
    assert names
    block = cmake_block(prefix, kind, names)
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    assert block in text, f"ALSMotorCortex/CMakeLists.txt lags behind. It should say:\n\n{block}\n"


@pytest.mark.parametrize("prefix", MODULES)
def test_cmake_builds_each_module_and_registers_its_self_test(prefix: str) -> None:
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"set({prefix}_NAME {MODULES[prefix]})" in text
    assert f"  NAME ${{{prefix}_NAME}}\n  SCRIPTS ${{{prefix}_PYTHON_SCRIPTS}}\n" in text
    assert f"slicer_add_python_unittest(SCRIPT ${{{prefix}_NAME}}.py)" in text
    assert (MODULE / f"{MODULES[prefix]}.py").is_file()
