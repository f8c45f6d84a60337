"""`isoref grow`: add inert scaffold neurons."""

from __future__ import annotations

from collections.abc import Sequence

from isoref.cli import common


def main(arguments: Sequence[str]) -> int:
    """Grow one hidden space of a network file."""
    parser = common.parser(
        "grow",
        "Add scaffold neurons to a hidden space: zero incoming weights, small random outgoing "
        "ones. The function stays, and training can use them.",
        "isoref grow net.npz --space 1 --count 8 --seed 0 -o wider.npz",
    )
    common.add_network(parser)
    parser.add_argument("--space", type=int, required=True, help="1 … L, the hidden space")
    parser.add_argument("--count", type=int, required=True, help="how many neurons to add")
    parser.add_argument("--seed", type=int, default=0, help="of the outgoing weights")
    options = parser.parse_args(arguments)
    from isoref.topology import grow

    net = common.read(options.network)
    other, _ = grow(net, options.space, options.count, seed=options.seed)
    return common.finish(options, net, other, {"added": options.count})
