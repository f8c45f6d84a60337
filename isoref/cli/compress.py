"""`isoref compress`: remove every neuron that no input can move."""

from __future__ import annotations

from collections.abc import Sequence

from isoref.cli import common


def main(arguments: Sequence[str]) -> int:
    """Compress a network file."""
    parser = common.parser(
        "compress",
        "Remove every neuron beyond the rank of its layer, front to back; (q, ψ) absorbs what "
        "they contributed. The function stays, up to rounding.",
        "isoref compress net.npz -o small.npz",
    )
    common.add_network(parser)
    options = parser.parse_args(arguments)
    from isoref.topology import compress

    net = common.read(options.network)
    other, _ = compress(net)
    removed = sum(net.widths) - sum(other.widths)
    return common.finish(options, net, other, {"removed": removed})
