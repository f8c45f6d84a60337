"""Wrong forms by singular vectors: level 4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.conformance.selftest.mutants.changes import changed, kept
from isoref.gauge import acted

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def spectral(net: Any, layer: int, side: str, turn: Right) -> Any:
    """Return the network turned by what `turn` makes of its singular vectors."""
    u, _, vt = np.linalg.svd(net.layers[layer].weight)
    if side in ("left", "full"):
        net = acted(net, layer + 1, turn(u.T))
    return acted(net, layer, turn(vt)) if side in ("right", "full") else net


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def takes_thin_factors(right: Right, net: Any, layer: int, side: str) -> Any:
    count = min(net.layers[layer].weight.shape)
    return spectral(net, layer, side, lambda R: R * (np.arange(len(R)) < count)[:, None])


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def orders_them_ascending(right: Right, net: Any, layer: int, side: str) -> Any:
    return spectral(net, layer, side, lambda R: R[::-1].copy())


@wrong("diagonalise", "L4.diagonalise")
def multiplies_by_U(right: Right, net: Any, layer: int, side: str) -> Any:
    return spectral(net, layer, side, lambda R: R.T.copy())


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def diagonalises_W_and_forgets_psi(right: Right, net: Any, layer: int, side: str) -> Any:
    return (
        kept(right(net, layer, side), net, layer, "psi")
        if side != "right"
        else right(net, layer, side)
    )


@wrong("diagonalise", "L4.diagonalise")
def forgets_the_next_layer(right: Right, net: Any, layer: int, side: str) -> Any:
    found = right(net, layer, side)
    return kept(found, net, layer + 1, "weight") if side == "left" else found


@wrong("diagonalise", "L4.diagonalise")
def returns_it_as_it_was(right: Right, net: Any, layer: int, side: str) -> Any:
    return net


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def divides_by_the_singular_values(right: Right, net: Any, layer: int, side: str) -> Any:
    w = net.layers[layer].weight
    u, s, _ = np.linalg.svd(w, full_matrices=False)
    if side != "left" or len(u) > len(s):
        return right(net, layer, side)
    vt = (u.T @ w) / s[:, None]
    return changed(right(net, layer, side), layer, weight=s[:, None] * vt)


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def turns_one_side_of_two(right: Right, net: Any, layer: int, side: str) -> Any:
    return right(net, layer, "left") if side == "full" else right(net, layer, side)


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def orthogonal_rows_by_qr(right: Right, net: Any, layer: int, side: str) -> Any:
    """A QR decomposition makes the weight triangular; its rows are not orthogonal."""
    if side != "left":
        return right(net, layer, side)
    q, _ = np.linalg.qr(net.layers[layer].weight, mode="complete")
    return acted(net, layer + 1, np.ascontiguousarray(q.T))


@wrong("diagonalise", "L4.diagonalise")
def values_off_by_a_few_hundred_roundings(right: Right, net: Any, layer: int, side: str) -> Any:
    found = right(net, layer, side)
    weight = found.layers[layer].weight
    more = weight.dtype.type(1 + 300 * np.finfo(weight.dtype).eps)
    return changed(found, layer, weight=weight * more)
