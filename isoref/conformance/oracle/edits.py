"""Gauge and topology from their definitions: rotate, drop, and what singular vectors do.

What an implementation rounds: every turned entry, as a contraction; q + c·c and ψ + W c; and the
orthogonal matrices that it computes itself, (½√n + 2)u an entry, as what a factorisation leaves.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from isoref.conformance.oracle.network import Skips, Tree, flat, gains, members
from isoref.conformance.oracle.noise import Rounding
from isoref.conformance.oracle.numbers import NDArray, numbers, zeros


def rotated(net: Tree, space: int, R: NDArray, skips: Skips, noise: Rounding) -> Tree:
    """Return the tree with R applied to every axis of a hidden space (S4.1)."""
    found = [dict(layer) for layer in net]
    for member in members(space, skips, len(net)):
        below, above = found[member - 1], found[member]
        for name in ("weight", "bias", "psi"):
            if name in below:
                below[name] = turned(R, below[name], 0, noise)
        above["weight"] = turned(R, above["weight"], 1, noise)
    return found


def turned(R: NDArray, array: NDArray, axis: int, noise: Rounding) -> NDArray:
    """Return Σ_j R_kj array_j along one axis."""
    front = np.moveaxis(array, axis, 0)
    found = noise.contracted((R, front.reshape(len(front), -1)))
    return np.moveaxis(found.reshape(len(found), *front.shape[1:]), 0, axis)


def dropped(
    net: Tree, space: int, neurons: list[int], c: NDArray, skips: Skips, noise: Rounding
) -> Tree:
    """Return the tree without neurons, as if they were constants c: q + c·c, ψ + W c (S5.3).

    Spaces that skips connect lose them together; there c is 0 where a skip leaves, and b in the
    others (S8.7).
    """
    found, together = [dict(layer) for layer in net], members(space, skips, len(net))
    for member in together:
        if not left(member, skips):
            constants = c if member == space else net[member - 1]["bias"][neurons]
            _absorb(found, member, neurons, constants, noise)
    kept = [k for k in range(len(net[space - 1]["bias"])) if k not in neurons]
    for member in together:
        below, above = found[member - 1], found[member]
        for name in ("weight", "bias", "psi"):
            if name in below:
                below[name] = below[name][kept]
        above["weight"] = above["weight"][:, kept]
    return found


def _absorb(found: Tree, space: int, neurons: list[int], c: NDArray, noise: Rounding) -> None:
    below, above = found[space - 1], found[space]
    column, one = c[:, None], numbers(np.ones((1, 1)))
    below["q"] = noise.contracted((column.T, column), (one, below["q"].reshape(1, 1)))[0, 0]
    gone = np.moveaxis(above["weight"][:, neurons], 1, -1)
    psi = gains(above).reshape(-1, 1)
    sums = noise.contracted((gone.reshape(-1, len(neurons)), column), (psi, one))
    above["psi"] = sums.reshape(above["psi"].shape)


class Factors(NamedTuple):
    """M = U diag(s) Vᵀ with the full U and V, s descending."""

    U: NDArray
    s: NDArray
    V: NDArray


def factors(matrix: NDArray) -> Factors:
    """Return the singular value decomposition of a matrix."""
    rows, columns = matrix.shape
    u, s, v = mp.svd_r(mp.matrix(matrix.tolist()), full_matrices=True)
    return Factors(
        _array(u, rows), np.array([s[k] for k in range(len(s))], object), _array(v, columns).T
    )


def unfolded(weight: NDArray, side: str) -> NDArray:
    """Return the matrix of a form: taps count as inputs for "left", as outputs for "right"."""
    if side == "right":
        return np.moveaxis(weight, 1, -1).reshape(-1, weight.shape[1])
    return weight.reshape(len(weight), -1)


def joint(net: Tree, space: int, skips: Skips) -> NDArray:
    """Return M = [W | ψ], unfolded, of the layer that writes a space.

    Of connected spaces it is all M side by side, with the biases where a skip leaves (S8.7).
    """
    found = []
    for member in members(space, skips, len(net)):
        layer = net[member - 1]
        found += [flat(layer), gains(layer)] if "psi" in layer else [flat(layer)]
        found += [layer["bias"][:, None]] if left(member, skips) else []
    return np.concatenate(found, 1)


def left(space: int, skips: Skips) -> bool:
    """Whether a skip leaves a space."""
    return any(source == space for source, _ in skips)


def computed(Q: NDArray, noise: Rounding) -> NDArray:
    """Return an orthogonal matrix as a factorisation leaves it."""
    return noise.absolute(Q, np.full(Q.shape, mp.mpf(sqrt(len(Q)) / 2 + 2)))


def singular_values(found: Factors, noise: Rounding) -> NDArray:
    """Return s; each errs by (½√(m+n) + 2)u of the largest."""
    deviation = (sqrt(len(found.U) + len(found.V)) / 2 + 2) * found.s[0]
    return noise.absolute(found.s, np.full(found.s.shape, deviation))


def pruned(
    net: Tree, space: int, count: int, found: Factors, skips: Skips, noise: Rounding
) -> Tree:
    """Return the tree whose `count` last directions of `joint` are absorbed with c = b_D.

    M errs by (½√(m+n) + 2)u‖M‖ in all; that turns the directions that go into the kept ones, k, by
    −u_Dᵀ Ṁ v_k/s_k.
    """
    n, s = len(found.U), found.s
    kept = n - count
    deviation = (sqrt(n + len(found.V)) / 2 + 2) / sqrt(max(n, len(found.V))) * s[0]
    sizes = np.array([[deviation / s[k] for k in range(kept)] for _ in range(count)], object)
    N = noise.absolute(zeros(count, kept), sizes)
    R = computed(found.U.T, noise)
    turn = np.concatenate([R[:kept] - N.T @ R[kept:], R[kept:] + N @ R[:kept]])
    moved = rotated(net, space, turn, skips, noise)
    gone = list(range(kept, n))
    return dropped(moved, space, gone, moved[space - 1]["bias"][gone], skips, noise)


def _array(matrix: Any, rows: int) -> NDArray:
    entries = np.array(matrix.tolist(), dtype=object)
    return entries.reshape(rows, -1)
