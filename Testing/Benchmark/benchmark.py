"""Accuracy and speed of the measurement, as markdown tables.

    python3 Testing/headless.py benchmark [PART ...] [--quick] [--out FILE.md]

Parts, in the order in which they run: ``speed`` on phantoms, ``real`` 7 T data where it is on the
machine, ``growth`` with the size of the ribbon up to 10 million voxels, ``accuracy`` on phantoms of
known truth, ``edges`` where the picture ends, ``tilt`` of thick slices against the cortex, ``maps``
from echoes, ``trace`` for traces and calipers, ``recovery`` of the truth of simulated scans,
``coverage`` of the study's intervals.
pyEzzi is measured in the same run where it is installed, LN2_LAYERS where ``--ln2-layers`` names
it. ``--out`` gets everything, ``--readme`` the summaries, between the README's two markers.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "ALSMotorCortex"))

import accuracy  # noqa: E402
import benchmark_trace  # noqa: E402
import edges  # noqa: E402
import interval_coverage  # noqa: E402
import linearity  # noqa: E402
import recovery  # noqa: E402
import relaxometry  # noqa: E402
import speed  # noqa: E402
import tilt  # noqa: E402
from peers import LayNii, find_laynii  # noqa: E402
from tables import Detail, machine  # noqa: E402

MARKERS = ("<!-- benchmark: start -->", "<!-- benchmark: end -->")

Part = Callable[[argparse.Namespace, LayNii | None], Iterator[str]]

PARTS: dict[str, Part] = {
    "speed": lambda given, laynii: speed.report_phantoms(given.quick),
    "real": lambda given, laynii: speed.report_hand_knob(given.quick, given.shared, laynii),
    "growth": lambda given, laynii: linearity.report(given.quick),
    "accuracy": lambda given, laynii: accuracy.report(given.quick, laynii),
    "edges": lambda given, laynii: edges.report(given.quick),
    "tilt": lambda given, laynii: tilt.report(given.quick),
    "maps": lambda given, laynii: relaxometry.report(given.quick, given.shared),
    "trace": lambda given, laynii: benchmark_trace.report(given.quick),
    "recovery": lambda given, laynii: recovery.report(given.quick),
    "coverage": lambda given, laynii: interval_coverage.report(given.quick),
}
"""In the order in which they run."""


def main() -> None:
    options = parse()
    laynii = find_laynii(options.ln2_layers)
    started = time.monotonic()
    texts = []
    for text in sections(options, laynii):
        print(text, end="\n\n", flush=True)
        texts.append(text)
        if options.out:
            write(options.out, "\n\n".join(texts) + "\n")
    if options.readme:
        write(options.readme, with_tables(options.readme.read_text(encoding="utf-8"), texts))
    print(f"Took {(time.monotonic() - started) / 60:.0f} min.", file=sys.stderr)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="headless.py benchmark", description=__doc__.splitlines()[0]
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller, for a look")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there, too")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the summaries into it")
    parser.add_argument(
        "--shared",
        type=Path,
        metavar="FOLDER",
        default=ROOT.parent / "shared" / "data",
        help="real data, with hand_knob_7t and gre_7t in it (default: %(default)s)",
    )
    parser.add_argument(
        "--ln2-layers", metavar="PROGRAM", help="LayNii's LN2_LAYERS, to compare with"
    )
    options = parser.parse_args()
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"there is no part {unknown[0]}; parts are: {', '.join(PARTS)}")
    options.parts = options.parts or list(PARTS)
    return options


def sections(options: argparse.Namespace, laynii: LayNii | None) -> Iterator[str]:
    """The benchmark's texts, each as soon as it is known."""
    yield "# Benchmark\n\n" + machine()
    for name, part in PARTS.items():
        if name in options.parts:
            started = time.monotonic()
            yield from part(options, laynii)
            print(f"{name} took {time.monotonic() - started:.0f} s.", file=sys.stderr)


def with_tables(readme: str, texts: list[str]) -> str:
    """The README with these texts between its markers, less the details; headings two down."""
    before, _, rest = readme.partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    if not after:
        raise SystemExit(f"The file has no {MARKERS[0]} and {MARKERS[1]}.")
    kept = [text.removeprefix("# Benchmark\n\n") for text in texts if not isinstance(text, Detail)]
    body = re.sub(r"^#", "###", "\n\n".join(kept), flags=re.MULTILINE)
    return f"{before}{MARKERS[0]}\n\n{body}\n\n{MARKERS[1]}{after}"


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, so that an interrupted run leaves what is done so far."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


if __name__ == "__main__":
    main()
