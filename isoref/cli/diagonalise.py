"""`isoref diagonalise`: turn the spaces around one layer by its singular vectors."""

from __future__ import annotations

from collections.abc import Sequence

from isoref.cli import common


def main(arguments: Sequence[str]) -> int:
    """Diagonalise one layer of a network file."""
    parser = common.parser(
        "diagonalise",
        "Rotate hidden spaces so that a layer's weight W = UΣVᵀ becomes ΣVᵀ (left: ordered, "
        "orthogonal rows), UΣ (right) or Σ (full: one-to-one connections). The function stays. "
        "A kernel is unfolded for left and right; full needs taps that are diagonal in one pair "
        "of bases, and where there is none, both makes channels orthogonal on both sides.",
        "isoref diagonalise net.npz --layer 1 --side full -o diagonal.npz",
    )
    common.add_network(parser)
    parser.add_argument("--layer", type=int, required=True, help="0 … L; its weight is factorised")
    parser.add_argument(
        "--side",
        choices=("left", "right", "full", "both"),
        default="left",
        help="the spaces that turn: the one written, the one read, or both (default: left)",
    )
    parser.add_argument(
        "--augmented",
        action="store_true",
        help="left only: factorise [W | ψ], for removing neurons",
    )
    options = parser.parse_args(arguments)
    from isoref.diagonal import diagonalise

    net = common.read(options.network)
    other, report = diagonalise(net, options.layer, options.side, augmented=options.augmented)
    facts = {"singular values": [float(s) for s in report.singular_values]}
    if report.right_values is not None:
        facts["of the input channels"] = [float(s) for s in report.right_values]
    return common.finish(options, net, other, facts)
