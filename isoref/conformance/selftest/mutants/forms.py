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


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def flattens_a_kernel_as_it_lies(right: Right, net: Any, layer: int, side: str) -> Any:
    """The columns of the right form are those of memory, whatever axis they belong to."""
    weight = net.layers[layer].weight
    if side != "right" or weight.ndim == 2:
        return right(net, layer, side)
    u, _, _ = np.linalg.svd(weight.reshape(weight.shape[1], -1))
    return acted(net, layer, np.ascontiguousarray(u.T))


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def diagonalises_the_sum_of_the_taps(right: Right, net: Any, layer: int, side: str) -> Any:
    weight = net.layers[layer].weight
    u, _, vt = np.linalg.svd(weight.reshape(*weight.shape[:2], -1).sum(axis=2))
    if side in ("left", "full"):
        net = acted(net, layer + 1, np.ascontiguousarray(u.T))
    return acted(net, layer, vt) if side in ("right", "full") else net


@wrong("diagonalise", "L4.diagonalise")
def diagonalises_one_of_the_connected_spaces(right: Right, net: Any, layer: int, side: str) -> Any:
    found, space = right(net, layer, side), layer + (side != "right")
    layers = [
        own if net.skips and i not in (space - 1, space) else turned
        for i, (turned, own) in enumerate(zip(found.layers, net.layers, strict=True))
    ]
    return found.rebuilt(layers)


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def counts_equal_values_once(right: Right, net: Any, layer: int, side: str) -> Any:
    """Singular vectors of a value that repeats are taken for one and the same."""

    def distinct(R: NDArray) -> NDArray:
        s = np.linalg.svd(net.layers[layer].weight, compute_uv=False)
        near = np.flatnonzero(np.abs(np.diff(s)) <= 1e-6 * s[0])
        found = R.copy()
        found[near + 1] = found[near]
        return found

    if net.layers[layer].kernel or not net.layers[layer].weight.any():
        return right(net, layer, side)
    return spectral(net, layer, side, distinct)
