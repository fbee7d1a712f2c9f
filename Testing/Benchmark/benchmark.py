"""Accuracy and speed of the measurement, as markdown tables.

    python3 Testing/headless.py benchmark [PART ...] [--quick] [--out FILE.md]

Parts: ``accuracy`` on phantoms of known truth, ``speed`` on phantoms, ``real`` 7 T data where it
is on the machine, ``growth`` with the size of the ribbon up to 10 million voxels, ``maps`` from
echoes, ``tilt`` of thick slices against the cortex, ``trace`` for traces and calipers. pyEzzi is
measured in the same run where it is installed, LN2_LAYERS where ``--ln2-layers`` names it.
``--readme`` puts the tables, less those of single shapes, between the README's two markers.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "ALSMotorCortex"))

import accuracy  # noqa: E402
import benchmark_trace  # noqa: E402
import linearity  # noqa: E402
import relaxometry  # noqa: E402
import speed  # noqa: E402
import tilt  # noqa: E402
from peers import LayNii, find_laynii  # noqa: E402
from tables import machine  # noqa: E402

MARKERS = ("<!-- benchmark: start -->", "<!-- benchmark: end -->")
PARTS = ("accuracy", "speed", "real", "growth", "maps", "tilt", "trace")


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
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the tables into it")
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
    if "speed" in options.parts:
        yield from speed.report_phantoms(options.quick)
    if "real" in options.parts:
        yield from speed.report_hand_knob(options.quick, options.shared, laynii)
    if "growth" in options.parts:
        yield from linearity.report(options.quick)
    if "accuracy" in options.parts:
        yield from accuracy.report(options.quick, laynii)
    if "maps" in options.parts:
        yield from relaxometry.report(options.quick, options.shared)
    if "tilt" in options.parts:
        yield from tilt.report(options.quick)
    if "trace" in options.parts:
        yield from benchmark_trace.report(options.quick)


def with_tables(readme: str, texts: list[str]) -> str:
    """The README with these texts between its markers, their headings two levels down."""
    before, _, rest = readme.partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    if not after:
        raise SystemExit(f"The file has no {MARKERS[0]} and {MARKERS[1]}.")
    kept = [text.removeprefix("# Benchmark\n\n") for text in texts if " labels, " not in text[:30]]
    body = re.sub(r"^#", "###", "\n\n".join(kept), flags=re.MULTILINE)
    return f"{before}{MARKERS[0]}\n\n{body}\n\n{MARKERS[1]}{after}"


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, so that an interrupted run leaves what is done so far."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


if __name__ == "__main__":
    main()
