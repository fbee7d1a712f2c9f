"""Run the module's self-test inside Slicer, use its panel, and keep pictures of it.

    Slicer --testing --no-splash --additional-module-path ALSMotorCortex \\
        --python-script Testing/slicer_selftest.py FOLDER

With ``--no-main-window`` everything runs but the panel. The pictures go to FOLDER. The last line
printed is ``SELFTEST OK`` or ``SELFTEST FAILED``, and the exit status is 0 or 1. CI runs this in
the newest release and preview of Slicer.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import traceback
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import qt
import slicer

TESTING = Path(sys.argv[0]).resolve().parent
MODULE = TESTING.parent / "ALSMotorCortex"
sys.path.insert(0, str(TESTING))

from host import checks, panel, record, strict  # noqa: E402

NAME = "ALSMotorCortex"
READING = "ALSMotorCortexReading"
MEASURE_SECONDS = 300
"""After this long the sample case's measurement counts as stuck."""


def main(folder: Path) -> list[str]:
    """Run all parts on an empty scene each, and return what failed."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Slicer {slicer.app.applicationVersion}, Python {sys.version.split()[0]}", flush=True)
    parts: list[Callable[[Path], Iterator[str]]] = [loaded, relied_on, panel_facts, own_test]
    if slicer.util.mainWindow() is not None:
        parts += [panel_used, reading_used]
    failed = []
    for part in parts:
        started = time.time()
        slicer.mrmlScene.Clear(0)
        try:
            found = list(part(folder))
        except Exception:
            found = [traceback.format_exc()]
        says = "failed" if found else "passed"
        print(f"{part.__name__}: {says} in {time.time() - started:.1f} s", flush=True)
        failed += [f"{part.__name__}: {text}" for text in found]
    return failed


def loaded(folder: Path) -> Iterator[str]:
    """The modules are there, from this folder."""
    for name in (NAME, READING):
        module = getattr(slicer.modules, name.lower(), None)
        if module is None:
            yield f"Slicer did not load {name}; start it with --additional-module-path {MODULE}"
        elif Path(module.path).resolve() != MODULE / f"{name}.py":
            yield f"Slicer loaded another copy: {module.path}"


def relied_on(folder: Path) -> Iterator[str]:
    """This Slicer does what the module relies on; the host does it too (test_host.py)."""
    with tempfile.TemporaryDirectory() as temporary:
        yield from checks.run_all(temporary)


def panel_facts(folder: Path) -> Iterator[str]:
    """The panels against the classes of this very Slicer, not of the recorded one."""
    strict.FACTS["widgets"] = {"modules": record.everything(), **record.widgets()}
    parts = panel.panels(MODULE)
    for file, ui in parts.items():
        faults = [*panel.find_wrong_classes(ui), *panel.find_wrong_connections(ui)]
        yield from (f"{file.name}: {text}" for text in faults)
    parameters = getattr(sys.modules[NAME], f"{NAME}ParameterNode")
    yield from panel.find_wrong_parameters(panel.whole(parts.values()), parameters)
    reading = panel.of_module(MODULE, READING)
    yield from panel.find_wrong_classes(reading)
    yield from panel.find_wrong_connections(reading)
    parameters = getattr(sys.modules[READING], f"{READING}ParameterNode")
    yield from panel.find_wrong_parameters(reading, parameters)
    for file, ui in [*panel.sources(MODULE).items(), (MODULE / f"{READING}.py", reading)]:
        faults = list(panel.find_wrong_uses(panel.Source.of(file), ui))
        yield from (f"{file.name}: {text}" for text in faults)
    for file in sorted(MODULE.rglob("*.py")):
        yield from (f"{file.name}: {text}" for text in names_in(panel.Source.of(file)))


def names_in(source: panel.Source) -> Iterator[str]:
    yield from panel.find_unknown_names(source, slicer)
    yield from panel.find_wrong_uses_of_made_objects(source)


def own_test(folder: Path) -> Iterator[str]:
    """The modules' test classes."""
    for name in (NAME, READING):
        case = getattr(sys.modules[name], f"{name}Test")
        suite = unittest.TestLoader().loadTestsFromTestCase(case)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
        yield from (f"{test}\n{text}" for test, text in result.errors + result.failures)
        if not result.testsRun:
            yield f"the test class of {name} has no test"


def panel_used(folder: Path) -> Iterator[str]:
    """Open the module, load the sample case and measure it, as a user would with three clicks."""
    logged: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = logged.append
    logging.getLogger().addHandler(handler)
    slicer.util.mainWindow().resize(1580, 980)  # no window manager under Xvfb
    slicer.util.selectModule(NAME)
    picture(folder / "module.png")
    ui = getattr(slicer.modules, f"{NAME}Widget").ui
    ui.sampleDataButton.click()
    wait(lambda: ui.measureButton.enabled, 60)
    picture(folder / "sample.png")
    if not ui.measureButton.enabled:
        yield "the sample case cannot be measured: " + ui.reasonLabel.text
        return
    ui.measureButton.click()
    if not wait(lambda: not ui.cancelButton.enabled, MEASURE_SECONDS):
        yield f"the measurement was not done after {MEASURE_SECONDS} s"
    elif not slicer.util.getNodesByClass("vtkMRMLTableNode"):
        yield "the measurement left no table: " + ui.measureMessageLabel.text
    picture(folder / "results.png")
    logging.getLogger().removeHandler(handler)
    # The panel shows what went wrong as a message, and logs it.
    yield from (f"logged as an error: {entry.getMessage()}" for entry in logged)


def reading_used(folder: Path) -> Iterator[str]:
    """Start a session in the window, rate two hemispheres, end, and go on."""
    module = sys.modules[READING]
    slicer.util.selectModule(READING)
    ui = getattr(slicer.modules, f"{READING}Widget").ui
    with tempfile.TemporaryDirectory() as temporary:
        module.writeSampleCases(Path(temporary, "cases"))
        ui.casesLineEdit.text = str(Path(temporary, "cases"))
        ui.readerLineEdit.text = "Anna"
        ui.readingsLineEdit.text = str(Path(temporary, "readings"))
        for finished in range(2):
            if not wait(lambda: ui.startButton.enabled, 5):
                yield f"no session can start: {ui.reasonLabel.text}"
                return
            ui.startButton.click()
            if ui.progressBar.value != finished:
                yield f"{ui.progressBar.value} cases are rated, not {finished}"
            for side in ("left", "right"):
                for item, answers in module.ITEMS.items():
                    getattr(ui, module.buttonName(side, item, answers[-1])).click()
            picture(folder / f"reading{finished + 1}.png")
            ui.endButton.click()
        if ui.messageLabel.text.startswith("<b>"):
            yield ui.messageLabel.text
        readings = module.read_readings(Path(temporary, "readings", "reading_anna.tsv"))
        if len(readings) != 4 or any(one.missing for one in readings):
            yield f"not all ratings were written: {readings}"


def wait(until: Callable[[], bool], seconds: float) -> bool:
    """Let the application work until something is so; False when it takes too long."""
    end = time.time() + seconds
    while not until():
        if time.time() > end:
            return False
        rest(50)
    return True


def rest(milliseconds: int) -> None:
    """Let the application handle its events for a while."""
    loop = qt.QEventLoop()
    qt.QTimer.singleShot(milliseconds, loop.quit)
    loop.exec_()


def picture(file: Path) -> None:
    """Save a picture of the main window once it is drawn."""
    rest(500)
    slicer.util.forceRenderAllViews()
    rest(500)
    slicer.util.mainWindow().grab().save(str(file))


def run(arguments: list[str]) -> Any:
    """Run everything and end the application."""
    try:
        failed = main(Path(arguments[-1]) if len(arguments) > 1 else Path(tempfile.mkdtemp()))
    except BaseException:  # the application would go on running
        failed = [traceback.format_exc()]
    for text in failed:
        print(text)
    print("SELFTEST FAILED" if failed else "SELFTEST OK", flush=True)
    slicer.util.exit(1 if failed else 0)


run(sys.argv)
