"""What the sub-commands share: reading and writing networks and inputs, printing results."""

from __future__ import annotations

import argparse
import json
import sys
from math import isfinite
from typing import Any

import numpy as np

from isoref.arrays import like
from isoref.files import load, save
from isoref.network import Network


def parser(name: str, description: str, example: str) -> argparse.ArgumentParser:
    """Return a parser for one sub-command whose help ends in an example."""
    return argparse.ArgumentParser(
        prog=f"isoref {name}",
        description=description,
        epilog=f"Example: {example}",
    )


def add_network(arguments: argparse.ArgumentParser, *, output: bool = True) -> None:
    """Add NETWORK and, for commands that edit, -o OUT; and --json."""
    arguments.add_argument(
        "network",
        metavar="NETWORK",
        help="a network file, .npz or .safetensors, or a checkpoint of the original code, .pt",
    )
    if output:
        arguments.add_argument(
            "-o", "--output", metavar="OUT", required=True, help="where to write the new network"
        )
    arguments.add_argument("--json", action="store_true", help="print one JSON object instead")


def add_image(arguments: argparse.ArgumentParser) -> None:
    """Add --image, the extents that norms of convolutions run over."""
    arguments.add_argument(
        "--image",
        metavar="ROWS,COLUMNS",
        type=_extents,
        help="extents of the input images of convolutions, as in 8,8, or a length: bounds depend "
        "on them",
    )


def _extents(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not 1 <= len(found) <= 2 or min(found) < 1:
        raise argparse.ArgumentTypeError(
            f"must be one or two whole numbers from 1 on, as in 8,8, got {text!r}"
        )
    return found


def check_image(image: tuple[int, ...] | None, net: Network) -> None:
    """Raise where the extents are missing, or are not those of images that `net` reads."""
    given = 0 if image is None else len(image)
    if given == net.axes:
        return
    if net.axes == 0:
        raise ValueError(f"--image is for convolutions, and {shape(net)} has none; leave it out")
    wanted = ("", "LENGTH", "ROWS,COLUMNS")[net.axes]
    raise ValueError(
        f"--image must be {wanted}, the extents of the input images: the norm of a convolution "
        f"runs over all positions; got {','.join(map(str, image or ())) or 'none'}"
    )


def shape(net: Network) -> str:
    """Return the profile and the widths, with kernels and skips where there are any."""
    text = f"{net.profile.name} {'-'.join(map(str, net.widths))}"
    if net.axes:
        kernels = ("×".join(map(str, layer.kernel)) for layer in net.layers)
        text += f", kernels {', '.join(kernels)}"
    if net.skips:
        text += f", skips {', '.join(f'{s}→{t}' for s, t in net.skips)}"
    return text


def read_inputs(path: str | None, net: Network) -> Any:
    """Return the inputs (B, n_0, *image) of an .npy file in the dtype of the network, or None."""
    if path is None:
        return None
    try:
        x = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} must be a readable .npy file of numbers: {error}") from error
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiu":
        raise ValueError(f"{path} must hold one array of numbers, as numpy.save writes it")
    with np.errstate(over="ignore"):
        inputs = like(x.astype(np.float64), net.reference)
    if not np.isfinite(inputs).all():
        raise ValueError(f"{path} must hold finite numbers in {net.reference.dtype}")
    return inputs


def finish(
    options: argparse.Namespace, before: Network, after: Network, facts: dict[str, Any]
) -> int:
    """Write the new network and tell what changed; return 0."""
    save(after, options.output)
    facts = {
        "widths": [list(before.widths), list(after.widths)],
        "parameters": [before.parameter_count, after.parameter_count],
        **facts,
        "output": options.output,
    }
    show(options, facts)
    return 0


def show(options: argparse.Namespace, facts: dict[str, Any]) -> None:
    """Print facts as JSON, or one line each; pairs are shown as before → after."""
    if options.json:
        print(json.dumps(_finite(facts), indent=1))
        return
    for name, value in facts.items():
        if (
            isinstance(value, list)
            and len(value) == 2
            and name in ("widths", "parameters", "multiply-adds")
        ):
            value = f"{_text(value[0])} → {_text(value[1])}"
        print(f"{name:<28}{_text(value)}")


def read(path: str) -> Network:
    """Return the network of a file; progress belongs to standard error."""
    net = load(path)
    if sys.stderr.isatty():
        print(f"{path}: {shape(net)}", file=sys.stderr)
    return net


def _finite(value: Any) -> Any:
    """Return JSON-ready values: infinities, which JSON lacks, as text."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return (
            "-".join(map(str, value))
            if all(isinstance(v, int) for v in value)
            else ", ".join(map(_text, value))
        )
    return str(value)
