"""`isoref check`: a framework's outputs and gradients against those of the definition."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from math import isinf
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from isoref.cli import common
from isoref.conformance.numerics import BITS
from isoref.network import Network

if TYPE_CHECKING:
    from isoref.conformance.crosscheck import Cause, Report
    from isoref.conformance.judge import Verdict

NDArray = np.ndarray[Any, Any]

UNTOLD = (
    "no known mistake gives these {}; compare layer by layer, or run isoref conform on the "
    "implementation"
)
MARGIN, WIDTH = 24, 76
FOLLOW = "gradients follow from outputs: mend those first"


def main(arguments: Sequence[str]) -> int:
    """Print ρ, the effective precision, the worst element and the likely cause."""
    options = _parser().parse_args(arguments)
    from isoref.conformance.crosscheck import crosscheck, files

    net = common.read(options.network)
    x, y = files.one(options.inputs, "inputs"), files.one(options.outputs, "outputs")
    _check(options, net, x, y)
    ybar, gradients = None, None
    if options.cotangents:
        ybar = files.one(options.cotangents, "cotangents")
        files.check_batch(options.cotangents, ybar, y.shape, "that of the outputs")
        _check_finite(options.cotangents, ybar)
    if options.gradients:
        gradients = files.gradients(options.gradients, net, str(y.dtype))
        if "xbar" in gradients:
            where = f"{options.gradients}: xbar"
            files.check_batch(where, gradients["xbar"], x.shape, "that of the inputs")
    report = crosscheck(net, x, y, gradients=gradients, ybar=ybar, multiply=options.multiply)
    if options.json:
        common.show(options, _facts(options, net, report))
    else:
        _print(net, report)
    return report.code


def _parser() -> argparse.ArgumentParser:
    parser = common.parser(
        "check",
        "Compare the outputs that a framework computed with those of the definition, evaluated in "
        "float64. ρ = max |got − expected| / E with a bound E derived from the arithmetic of the "
        "outputs' dtype; ρ ≤ 1 passes. Where they differ, known mistakes are tried and the one "
        "that gives these outputs is named. Files are .npy, .npz, .safetensors or .pt (a dict of "
        "tensors), with one array or with the names x, y and ybar. Exit code 0: they agree; 1: "
        "they do not; 2: a file does not fit; 3: nothing could be judged.",
        "isoref check net.npz x.npy y.npy --gradients gradients.npz",
    )
    common.add_network(parser, output=False)
    parser.add_argument("inputs", metavar="INPUTS", help="x (B, n_0), or (B, n_0, *image)")
    parser.add_argument(
        "outputs", metavar="OUTPUTS", help="y (B, n), float64 or float32, as they were computed"
    )
    parser.add_argument(
        "--gradients",
        metavar="FILE",
        help="gradients of ⟨ȳ, y⟩, summed over the batch: any of layer.<i>.weight, .bias, .psi, "
        ".q, as in network files, and xbar",
    )
    parser.add_argument(
        "--cotangents",
        metavar="FILE",
        help="ȳ, of the shape of the outputs; 1 everywhere if not given, so that gradients are "
        "those of y.sum()",
    )
    parser.add_argument(
        "--multiply",
        choices=["auto", *BITS],
        default="auto",
        help="what products round their operands to; auto, the dtype of OUTPUTS",
    )
    return parser


def _check(options: argparse.Namespace, net: Network, x: NDArray, y: NDArray) -> None:
    """Raise unless inputs and outputs fit the network and each other."""
    from isoref.conformance.crosscheck import files
    from isoref.convolution import written
    from isoref.windows import extents

    fits = f"to fit {common.shape(net)}"
    image = (-1,) * net.axes
    files.check_batch(options.inputs, x, (-1, net.widths[0], *image), fits)
    _check_finite(options.inputs, x)
    extent = extents(x)
    try:
        for layer in net.layers:
            extent = written(layer, extent)
    except ValueError as error:
        raise ValueError(f"{options.inputs}: {error}") from error
    files.check_float(options.outputs, y)
    shape = (len(x), net.widths[-1], *extent)
    files.check_batch(options.outputs, y, shape, f"one output for each input, {fits}")


def _check_finite(path: str, array: NDArray) -> None:
    if not np.isfinite(array).all():
        index = [int(k) for k in np.argwhere(~np.isfinite(array))[0]]
        raise ValueError(
            f"{path}: finite numbers are expected, got {array[tuple(index)]} at {index}; leave "
            "that sample out"
        )


# For machines


def _facts(options: argparse.Namespace, net: Network, report: Report) -> dict[str, Any]:
    found = report.outputs
    return {
        "network": options.network,
        "profile": net.profile.name,
        "widths": list(net.widths),
        "dtype": str(net.reference.dtype),
        "storage": report.storage,
        "multiply": report.multiply,
        "samples": report.samples,
        "observable": report.observable,
        "verdict": _verdict(report),
        "outputs": {
            **_judged(found),
            "exceeding": report.exceeding,
            "median rho of a sample": report.median,
            "effective bits": report.bits,
            "where": report.where,
        },
        "causes": [cause.record() for cause in report.causes],
        "gradients": {name: _judged(one) for name, one in report.gradients.items()},
        "gradient causes": [cause.record() for cause in report.gradient_causes],
        "code": report.code,
    }


def _judged(found: Verdict) -> dict[str, Any]:
    return {
        "rho": found.rho if found.observable else None,
        "holds": found.holds if found.observable else None,
        "worst": found.worst.record() if found.worst else None,
    }


def _verdict(report: Report) -> str:
    return {0: "agrees", 1: "differs", 3: "not observable"}[report.code]


# For readers


def _print(net: Network, report: Report) -> None:
    _line("network", f"{common.shape(net)}, {net.reference.dtype}")
    products = "" if report.multiply == report.storage else f", products in {report.multiply}"
    _line("judged as", f"{report.storage}, {BITS[report.storage]} bits{products}")
    hidden = report.samples - report.observable
    note = f", {hidden} not observable: their errors reach a radius or a kink" if hidden else ""
    _line("samples", f"{report.samples}{note}")
    if not report.outputs.observable:
        print("\nNothing can be judged: take other inputs, or more precision.")
        return
    print()
    _line("outputs", _ratio(report.outputs))
    _worst(report, report.outputs)
    _line("  samples", f"{report.exceeding} exceed their bound; median ρ {report.median:.3g}")
    if report.where:
        _line("", report.where)
    _line("  effective precision", _bits(report))
    if not report.outputs.holds:
        _causes(report.causes, "outputs")
    if report.gradients:
        _print_gradients(net, report)
    print(f"\n{_sentence(report)}")


def _print_gradients(net: Network, report: Report) -> None:
    from isoref.conformance.crosscheck import files

    print()
    seen = {name: found for name, found in report.gradients.items() if found.observable}
    if not seen:
        _line("gradients", "not observable: leave out the samples that are not")
        return
    worst = max(seen, key=lambda name: seen[name].rho)
    _line("gradients", _ratio(seen[worst]))
    _worst(report, seen[worst])
    for name, found in seen.items():
        _line(f"  {name}", f"ρ = {found.rho:.3g}{'' if found.holds else '  differs'}")
    missing = [name for name in files.entries(net) if name not in report.gradients]
    if missing:
        _line("  not given", ", ".join(missing))
    if not seen[worst].holds:
        _blame(report)


def _blame(report: Report) -> None:
    """Print likely causes of gradients, and what is left without one."""
    if not report.outputs.holds:
        _line("likely cause", FOLLOW)
        return
    left = [name for name, found in report.gradients.items() if not found.holds]
    groups: dict[tuple[str, ...], list[Cause]] = {}
    for cause in report.gradient_causes:
        groups.setdefault(cause.names, []).append(cause)
    for names, causes in groups.items():
        _causes(causes, "gradients", "" if len(names) == len(left) else f"{', '.join(names)}: ")
    told = {name for names in groups for name in names}
    rest = [name for name in left if name not in told]
    if rest and groups:
        _line("no cause found", f"of {', '.join(rest)}")
    elif rest:
        _causes((), "gradients")


def _line(name: str, text: str) -> None:
    first, *rest = wrap(text, WIDTH) or [""]
    print("\n".join([f"{name:<{MARGIN}}{first}", *(f"{'':<{MARGIN}}{line}" for line in rest)]))


def _ratio(found: Verdict) -> str:
    return f"ρ = {found.rho:.3g} {'≤ 1: they agree' if found.holds else '> 1: they differ'}"


def _worst(report: Report, found: Verdict) -> None:
    if found.worst is None:
        return
    digits = 9 if report.storage == "float32" else 17
    worst = found.worst
    _line("  worst element", worst.where)
    _line("    got", f"{worst.got:<.{digits}g}  {worst.got.hex()}")
    _line("    expected", f"{worst.want:.{digits}g}  {worst.want.hex()}  ± {worst.bound:.2g}")


def _bits(report: Report) -> str:
    store = BITS[report.storage]
    if isinf(report.bits):
        return f"exact, of {store} bits"
    return f"{max(report.bits, 0):.1f} of {store} bits"


def _causes(causes: Sequence[Cause], what: str, of: str = "") -> None:
    if not causes:
        _line("likely cause", UNTOLD.format(what))
    several = sum(cause.whole for cause in causes) > 1
    for k, cause in enumerate(causes):
        part = "" if cause.whole else " in part"
        name = "one of" if several and k == 0 else "" if several else f"likely cause{part}"
        _line(name, f"{of}{cause.sentence} (ρ = {cause.rho:.2g} with that)")
        _line("", f"→ {cause.change}")


def _sentence(report: Report) -> str:
    return {
        0: "Everything agrees.",
        1: "It does not agree.",
        3: "The gradients cannot be judged.",
    }[report.code]
