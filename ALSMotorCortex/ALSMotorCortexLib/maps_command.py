"""The command ``maps``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .maps import MapOptions, MapSet

HELP = "make T2*, R2* and combined maps from a multi-echo gradient echo"

EXAMPLES = """examples:
  One file per echo, echo times from the JSON sidecars or typed:
    als-motor-cortex maps --echoes e1.nii.gz e2.nii.gz e3.nii.gz --out maps/
    als-motor-cortex maps --echoes e1.nii.gz e2.nii.gz e3.nii.gz --te 4 8 12 --out maps/
  A 4D file with its phase, corrected for dephasing across thick slices:
    als-motor-cortex maps --echoes mag.nii.gz --phase phase.nii.gz --te 4 8 12 \\
        --dephasing phase --out maps/
  A folder of DICOM files, or of one BIDS subject:
    als-motor-cortex maps --echoes dicom/ --series 7 --out maps/
    als-motor-cortex maps --echoes sub-01/anat/ --out maps/
"""


def add_echo_arguments(parser: argparse._ActionsContainer, required: bool) -> None:
    """The options that say where the echoes are and how they are fitted.

    Args:
        parser: of ``maps``, or a group in that of a command that takes echoes in place of maps.
        required: whether ``--echoes`` must be given.
    """
    add = parser.add_argument
    add(
        "--echoes",
        nargs="+",
        required=required,
        default=[],
        metavar="PATH",
        help="magnitude of the echoes: one file each, one 4D file, or one folder of DICOM files "
        "or BIDS (_echo-N_part-mag_MEGRE.nii.gz)",
    )
    add(
        "--te",
        nargs="+",
        default=[],
        metavar="TIME",
        help="echo times in the order of the files, in ms (or s, told by their size); without "
        "it, or with 'sidecars', from the JSON sidecars or headers",
    )
    add(
        "--phase",
        nargs="+",
        default=[],
        metavar="PATH",
        help="phase of the same echoes, one file each or one 4D file",
    )
    add(
        "--series",
        default="",
        metavar="NAME",
        help="which DICOM series, by number or description, where there are several",
    )
    add(
        "--mask",
        metavar="FILE",
        help="voxels to fit, those above zero; without it, all with signal",
    )
    add_fit_arguments(parser)


def add_fit_arguments(parser: argparse._ActionsContainer) -> None:
    """The options that say how echoes are fitted, wherever they lie."""
    add = parser.add_argument
    add(
        "--register",
        action="store_true",
        help="move echoes that were scanned one by one rigidly onto the first",
    )
    add(
        "--noise",
        type=float,
        metavar="SIGMA",
        help="standard deviation of the noise, in the unit of the images; without it, estimated",
    )
    add(
        "--fit",
        default="rician",
        metavar="METHOD",
        help="rician: maximum likelihood for magnitude images (default); loglinear: weighted "
        "straight line through the logarithms, faster and biased at low signal",
    )
    add(
        "--bias",
        action="store_true",
        help="correct the combined images and S0 for the coil's shading (N4)",
    )
    add(
        "--dephasing",
        default="none",
        metavar="FROM",
        help="correct T2* for dephasing across thick slices (sinc model), with the field gradient "
        "from phase or magnitude; none (default) does not",
    )
    add(
        "--slice-thickness",
        type=float,
        metavar="MM",
        help="for --dephasing; without it, from the headers, else the distance of slices",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``maps`` but ``--quiet`` and ``--debug``, which all commands share."""
    add_echo_arguments(parser, required=True)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder for the maps")
    add_identity_argument(parser)


def add_identity_argument(parser: argparse.ArgumentParser) -> None:
    """The option that lets outputs say where the inputs lie."""
    parser.add_argument(
        "--keep-patient-identity",
        action="store_true",
        help="write the paths of the inputs, the command as typed and the DICOM series' "
        "description into the results; they may hold a patient's name, so without this option "
        "files are called by what they are used as",
    )


def options_of(arguments: argparse.Namespace) -> MapOptions:
    """The options that :func:`add_echo_arguments` added, as they were given.

    Raises:
        InputError: an echo time that is not a number.
    """
    from .maps import MapOptions
    from .study.echo_times import parse_times

    return MapOptions(
        times=parse_times(arguments.te),
        phase=tuple(Path(path) for path in arguments.phase),
        series=arguments.series,
        register=arguments.register,
        mask=Path(arguments.mask) if arguments.mask else None,
        noise=arguments.noise,
        fit=arguments.fit,
        bias=arguments.bias,
        dephasing=arguments.dephasing,
        slice_thickness=arguments.slice_thickness,
    )


def given_options(arguments: argparse.Namespace) -> list[str]:
    """Those of the options of :func:`add_echo_arguments` that were given, but ``--echoes``."""
    parser = argparse.ArgumentParser()
    add_echo_arguments(parser, required=False)
    untouched = vars(parser.parse_args([]))
    changed = [name for name, value in untouched.items() if getattr(arguments, name) != value]
    return ["--" + name.replace("_", "-") for name in changed if name != "echoes"]


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> MapSet:
    """Makes the maps that the arguments ask for.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: see :func:`.maps.make_maps`.
    """
    from .maps import make_maps

    paths = [Path(path) for path in arguments.echoes]
    options = options_of(arguments)
    called = None if arguments.keep_patient_identity else names_of(paths, options)
    if called is not None:
        called[Path(arguments.out)] = "results"
    return make_maps(paths, arguments.out, options, progress, command=command, called=called)


def names_of(paths: Sequence[Path], options: MapOptions) -> dict[Path, str]:
    """What the results call the files of echoes."""
    from .study.privacy import called

    if len(paths) == 1:
        names = {paths[0]: called("echoes", paths[0])}
    else:
        names = {path: called(f"echo-{n}", path) for n, path in enumerate(paths, 1)}
    names |= {path: called(f"phase-{n}", path) for n, path in enumerate(options.phase, 1)}
    return names | ({options.mask: called("mask", options.mask)} if options.mask else {})
