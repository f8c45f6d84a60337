"""Wrong pruning: level 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import isoref
from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.conformance.selftest.mutants.changes import changed
from isoref.conformance.selftest.mutants.removal import absorbing
from isoref.diagonal import rotation
from isoref.factor import left_factors
from isoref.gauge import acted
from isoref.network import plain
from isoref.topology import joint

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def pruning(net: Any, space: int, count: int, order: Right, part: Right) -> Any:
    """Return a prune by the left singular vectors of part of M, in some order."""
    layer = net.layers[space - 1]
    u, _, _ = np.linalg.svd(part(layer).reshape(len(layer.bias), -1))
    turned, n = acted(net, space, order(u.T).copy()), net.widths[space]
    return isoref.drop(turned, space, range(n - count, n))[0]


def joined(layer: Any) -> NDArray:
    """Return M = [W | ψ], unfolded."""
    rows = layer.weight.reshape(len(layer.bias), -1)
    if layer.psi is None:
        return np.asarray(rows)
    return np.concatenate([rows, layer.psi.reshape(len(rows), -1)], axis=1)


@wrong("prune", "L5.prune")
def prunes_the_strongest(right: Right, net: Any, space: int, count: int) -> Any:
    return pruning(net, space, count, lambda R: R[::-1], joined)


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_by_W_alone(right: Right, net: Any, space: int, count: int) -> Any:
    return pruning(net, space, count, lambda R: R, lambda layer: layer.weight)


@wrong("prune", "L5.prune")
def prunes_by_the_bias_too(right: Right, net: Any, space: int, count: int) -> Any:
    return pruning(net, space, count, lambda R: R, lambda layer: np.c_[joined(layer), layer.bias])


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_without_turning(right: Right, net: Any, space: int, count: int) -> Any:
    layer, n = net.layers[space - 1], net.widths[space]
    weakest = np.argsort(np.linalg.norm(joined(layer), axis=1))[:count]
    return isoref.drop(net, space, [int(k) for k in weakest if k < n])[0]


def updates(net: Any, space: int, count: int, q: float, psi: float) -> Any:
    """Return a prune with multiples of what q and ψ take."""
    turned = plain(isoref.diagonalise(net, space - 1, "left", augmented=True)[0])
    n = net.widths[space]
    return absorbing(turned, space, range(n - count, n), None, q, psi)


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_without_both_updates(right: Right, net: Any, space: int, count: int) -> Any:
    return updates(net, space, count, 0, 0)


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_without_psi(right: Right, net: Any, space: int, count: int) -> Any:
    return updates(net, space, count, 1, 0)


@wrong("prune", "L5.prune")
def prunes_without_q(right: Right, net: Any, space: int, count: int) -> Any:
    return updates(net, space, count, 0, 1)


@wrong("prune", "L5.prune")
def prunes_one_too_few(right: Right, net: Any, space: int, count: int) -> Any:
    return right(net, space, count - 1) if count > 1 else net


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_by_thin_factors(right: Right, net: Any, space: int, count: int) -> Any:
    """Beyond the fan-in null rows are not counted, and others go in their place."""
    layer = net.layers[space - 1]
    matrix = joined(layer)
    rank = min(matrix.shape)
    u, _, _ = np.linalg.svd(matrix)
    order = [*range(max(rank - count, 0)), *range(rank, len(u)), *range(max(rank - count, 0), rank)]
    turned, n = acted(net, space, np.ascontiguousarray(u.T[order])), net.widths[space]
    return isoref.drop(turned, space, range(n - count, n))[0]


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_by_the_smallest_weights(right: Right, net: Any, space: int, count: int) -> Any:
    """The entries of the bias decide."""
    weakest = np.argsort(np.abs(net.layers[space - 1].bias))[:count]
    return isoref.drop(net, space, [int(k) for k in weakest])[0]


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_by_one_matrix_of_the_connected_spaces(
    right: Right, net: Any, space: int, count: int
) -> Any:
    """Neurons that are dead in one space of a class go from all."""
    return pruning(net, space, count, lambda R: R, joined)


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_kernels_by_the_sum_of_their_taps(right: Right, net: Any, space: int, count: int) -> Any:
    layer = net.layers[space - 1]
    if not layer.kernel:
        return right(net, space, count)
    rows = layer.weight.reshape(*layer.weight.shape[:2], -1).sum(axis=2)
    return pruning(net, space, count, lambda R: R, lambda layer: rows)


@wrong("prune", "L5.prune")
def absorbs_constants_where_a_skip_leaves(right: Right, net: Any, space: int, count: int) -> Any:
    u, _ = left_factors(joint(net, space))
    n, turned = net.widths[space], rotation(net, space, u.T).apply(net)
    found = right(net, space, count)
    for source, _ in net.skips:
        c = turned.layers[source - 1].bias[n - count :]
        if source in net.members(space):
            found = changed(found, source - 1, q=net.layers[source - 1].q + (c * c).sum())
    return found
