"""Run the module's own self-test on ``slicer-core``, without Slicer's window.

``python3 Testing/headless.py selftest`` calls this. In Slicer the same test class runs through
Testing/slicer_selftest.py.
"""

from __future__ import annotations

import argparse
import logging
import sys
import unittest
from pathlib import Path
from types import ModuleType

MODULE = Path(__file__).resolve().parents[1] / "ALSMotorCortex" / "ALSMotorCortex.py"


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
        suite = suite_of(load(MODULE), options.test)
        logging.disable(logging.NOTSET)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


def suite_of(module: ModuleType, names: list[str]) -> unittest.TestSuite:
    """The module's test class as unittest sees it, which is how Slicer's own tests run it."""
    case = getattr(module, f"{module.__name__}Test")
    loader = unittest.TestLoader()
    if not names:
        return loader.loadTestsFromTestCase(case)
    return loader.loadTestsFromNames([f"{case.__name__}.{name}" for name in names], module)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
