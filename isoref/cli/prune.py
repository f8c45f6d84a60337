"""`isoref prune`: remove weak neurons, with a certificate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isoref.cli import common


def main(arguments: Sequence[str]) -> int:
    """Prune one hidden space of a network file."""
    parser = common.parser(
        "prune",
        "Turn a hidden space so that its weakest directions come last, remove them as constants, "
        "and certify how far any output can move. Without --inputs or --radius the bound is "
        "for every input, and infinite where no a-priori bound is known. Bounds for convolutions "
        "hold for images of one size: that of --inputs, or --image. Spaces that skips connect lose "
        "the same neurons, and the bound adds what each of them discards.",
        "isoref prune net.npz --space 1 --tolerance 0.01 --inputs x.npy -o pruned.npz",
    )
    common.add_network(parser)
    parser.add_argument("--space", type=int, required=True, help="1 … L, the hidden space")
    many = parser.add_mutually_exclusive_group(required=True)
    many.add_argument("--count", type=int, help="how many neurons to remove")
    many.add_argument("--tolerance", type=float, help="remove as many as this bound on ‖Δy‖ allows")
    parser.add_argument(
        "--inputs",
        metavar="X.npy",
        help="inputs (B, n_0), or images (B, n_0, rows, columns), to certify and measure on",
    )
    parser.add_argument(
        "--radius", type=float, help="certify for every input of at most this length"
    )
    common.add_image(parser)
    parser.add_argument(
        "--center",
        choices=("bias", "mean"),
        default="bias",
        help="what removed neurons become: their biases, or means over --inputs (default: bias)",
    )
    options = parser.parse_args(arguments)
    from isoref.pruning import prune

    net = common.read(options.network)
    chosen: dict[str, Any] = {
        name: getattr(options, name) for name in ("count", "tolerance", "radius", "center")
    }
    x = common.read_inputs(options.inputs, net)
    if x is None or options.image is not None:
        common.check_image(options.image, net)
    other, certificate = prune(net, options.space, inputs=x, image=options.image, **chosen)
    facts = {
        "removed": certificate.removed,
        "bound on ‖Δy‖": certificate.bound,
        "  coefficient": certificate.coefficient,
        "  discarded": certificate.discarded,
        **{f"  discarded in space {o.space}": o.discarded for o in certificate.others},
        "  rounding": certificate.rounding,
        "measured ‖Δy‖": "no inputs given"
        if certificate.measured is None
        else certificate.measured,
        "holds for": certificate.assumption,
    }
    return common.finish(options, net, other, facts)
