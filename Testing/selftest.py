"""Run the modules' own self-tests on ``slicer-core``, without Slicer's window.

``python3 Testing/headless.py selftest`` calls this. In Slicer the same test classes run through
Testing/slicer_selftest.py.
"""

from __future__ import annotations

import argparse
import ast
import logging
import sys
import unittest
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / "ALSMotorCortex"
MODULES = ("ALSMotorCortex", "ALSMotorCortexReading")


def main(arguments: list[str]) -> int:
    """Run the tests; the exit status is 1 when one fails."""
    parser = argparse.ArgumentParser(prog="headless.py selftest", description=__doc__)
    parser.add_argument("test", nargs="*", help="names of single tests, e.g. test_measure")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the module's log")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR)
    try:
        from host.application import load, running
    except ImportError:
        print("The self-test needs slicer-core, which has no build for this machine.")
        return 2
    with running():
        # At start-up the module's plugins log that there is no window to plug into.
        logging.disable(logging.NOTSET if options.verbose else logging.CRITICAL)
        suites = [suite_of(load(FOLDER / f"{name}.py"), options.test) for name in MODULES]
        suite = unittest.TestSuite(suites)
        logging.disable(logging.NOTSET)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


def names_of(file: Path) -> list[str]:
    """The test methods of a module, read from its source: importing it needs a host."""
    return [
        method.name
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == f"{file.stem}Test"
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name.startswith("test")
    ]


def suite_of(module: ModuleType, names: list[str]) -> unittest.TestSuite:
    """The module's test class as unittest sees it, which is how Slicer's own tests run it.

    Args:
        names: single tests; those that the class does not have are left out.
    """
    case = getattr(module, f"{module.__name__}Test")
    loader = unittest.TestLoader()
    if not names:
        return loader.loadTestsFromTestCase(case)
    own = [f"{case.__name__}.{name}" for name in names if hasattr(case, name)]
    return loader.loadTestsFromNames(own, module)


def failures_of(module: ModuleType, name: str) -> list[str]:
    """What goes wrong in one test of the module's class, as tracebacks."""
    result = unittest.TestResult()
    suite_of(module, [name]).run(result)
    assert result.testsRun == 1
    return [text for _, text in result.errors + result.failures]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
