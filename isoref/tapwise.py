r"""Kernels tap by tap: one pair of bases for all taps, and whether it can make them all diagonal.

A kernel is a family of matrices W_t, one a tap, which the gauge turns all at once: W_t → UᵀW_tV.

    one-to-one    UᵀW_tV rectangular-diagonal for every t: iff W_jᵀW_k and W_jW_kᵀ are symmetric for
                  all taps j, k (section 8; C27) — always for one tap, for several by construction
    two-sided     any kernel: U of the unfolding (n_out, taps·n_in), V of (n_in, taps·n_out), the
                  higher-order singular value decomposition on the two axes that belong to spaces

Of the two-sided form the output channels are orthogonal to each other, as vectors over input
channels and taps, their lengths descending, and so are the input channels, as vectors over output
channels and taps. Leaving out the last channels on both sides is off by at most the root of the sum
of the squares of the lengths left out, at most √2 times the best possible (L. De Lathauwer, B. De
Moor, J. Vandewalle, "A multilinear singular value decomposition", SIAM J. Matrix Anal. Appl. 21,
2000). It has no one-to-one connections: the core is full, and no other gauge need be emptier.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoref import arrays, factor
from isoref.gauge import UNIT
from isoref.layer import Layer

NDArray = np.ndarray[Any, Any]

SWEEPS = 30
"""Sweeps of rotations, of which a few suffice: convergence is quadratic at the end."""


def one_to_one(layer: Layer) -> bool:
    """Return whether a gauge makes every tap of a kernel rectangular-diagonal (C27).

    W_jᵀW_k and W_jW_kᵀ must be symmetric for all taps j, k. They are taken for symmetric if
    ‖A − Aᵀ‖ ≤ 6 max(m, n) u ‖W_j‖ ‖W_k‖ in Frobenius norms: every tap may be off by its rounding,
    max(m, n) u ‖W_t‖ as `factor.rank` has it, which moves a product and its transpose by 4 of
    these units, and the products computed are off by 2 more at most. It is always true for one tap,
    a dense layer included.

    Parameters
    ----------
    layer : Layer

    Notes
    -----
    Source: specification, section 8. If UᵀW_tV = D_t for all t, the products are U D_jD_kᵀ Uᵀ and
    V D_jᵀD_k Vᵀ. Conversely take the singular value decomposition of a generic combination of the
    taps: the products commute, and so every tap is diagonal in it (C. Eckart and G. Young, "A
    principal axis transformation for non-Hermitian matrices", Bull. AMS 45, 1939, for two of them).

    Examples
    --------
    >>> taps = np.stack([np.eye(2), np.array([[0.0, 1.0], [0.0, 0.0]])], axis=-1)
    >>> one_to_one(Layer(taps, np.zeros(2))), one_to_one(Layer(taps[..., :1], np.zeros(2)))
    (False, True)
    """
    taps = taps_of(layer)
    unit = 6 * max(taps.shape[1:]) * UNIT[arrays.precision(layer.reference)]
    scale = float(np.max(np.abs(taps), initial=0.0)) or 1.0
    taps = taps / scale
    sizes = np.linalg.norm(taps, axis=(1, 2))
    for k in range(1, len(taps)):
        for j in range(k):
            for a in (taps[j].T @ taps[k], taps[j] @ taps[k].T):
                if np.linalg.norm(a - a.T) > unit * sizes[j] * sizes[k]:
                    return False
    return True


def taps_of(layer: Layer) -> NDArray:
    """Return W tap by tap, (taps, n_out, n_in), float64 on the host; a dense layer has one."""
    weight = arrays.to_numpy(layer.weight).astype(np.float64)
    flat = weight.reshape(*weight.shape[:2], -1)
    return np.ascontiguousarray(np.moveaxis(flat, 2, 0))


def unfoldings(taps: NDArray) -> tuple[NDArray, NDArray]:
    """Return W unfolded along its outputs, (n_out, taps·n_in), and its inputs, (n_in, taps·n_out).

    Examples
    --------
    >>> [matrix.shape for matrix in unfoldings(np.ones((9, 4, 3)))]
    [(4, 27), (3, 36)]
    """
    rows, columns = taps.shape[1:]
    by_row = taps.transpose(1, 0, 2).reshape(rows, -1)
    return by_row, taps.transpose(2, 0, 1).reshape(columns, -1)


def common_factors(taps: NDArray, unit: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return U, the lengths ‖d_i‖ over the taps, descending, and Vᵀ with UᵀW_tV = diag(d_it).

    The two-sided form leaves a square core; the factors of one random combination of its taps
    diagonalise all of them but for rounding, which a small gap between singular values amplifies.
    Two-sided rotations of pairs of channels, each the best for all taps at once, remove that.
    Signs: of each column of U the entry of largest modulus is positive, and so is d_it over t.

    Parameters
    ----------
    taps : array of shape (taps, m, n)
        With `one_to_one` symmetric products.
    unit : float
        Unit roundoff of the entries.

    Raises
    ------
    ValueError
        When more is left beside the diagonals than max(m, n) u ‖W‖ for the entries as they are, 3
        times that for the products and 12 times for each sweep, of two rotations a channel and 6u
        each (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", section 19.3).

    Examples
    --------
    >>> taps = np.array([[[0.0, 2.0], [1.0, 0.0]], [[0.0, 3.0], [-1.0, 0.0]]])
    >>> u, lengths, vt = common_factors(taps, 2.0**-53)
    >>> (u.T @ taps @ vt.T).round(12).tolist(), lengths.round(3).tolist()
    ([[[2.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [0.0, -1.0]]], [3.606, 1.414])
    """
    scale = float(np.max(np.abs(taps), initial=0.0)) or 1.0
    taps = taps / scale
    by_row, by_column = unfoldings(taps)
    (u, _), (v, _) = factor.left_factors(by_row), factor.left_factors(by_column)
    k = min(len(u), len(v))
    core = (u.T @ taps @ v)[:, :k, :k]
    weights = np.random.default_rng(0).standard_normal(len(taps))
    left, _, right = factor.svd(np.tensordot(weights, core, axes=1))
    core = left.T @ core @ right.T
    size = float(np.linalg.norm(taps))
    turns, sweeps = _rotated(core, unit * size)
    u[:, :k], v[:, :k] = u[:, :k] @ left @ turns[0], v[:, :k] @ right.T @ turns[1]
    u, v = factor.orthonormal(u), factor.orthonormal(v)
    core = u.T @ taps @ v
    d = core[:, np.arange(k), np.arange(k)]
    core[:, np.arange(k), np.arange(k)] = 0
    left_over, limit = float(np.linalg.norm(core)), (4 + 12 * sweeps) * max(len(u), len(v)) * unit
    if not left_over <= limit * size:
        raise ValueError(
            f"the taps cannot be made diagonal at once: {left_over / size:.3g} of their norm is "
            f"left beside the diagonals, more than rounding, {limit:.3g}; take side='left' or "
            "side='both'"
        )
    lengths = np.linalg.norm(d, axis=0)
    order = np.argsort(-lengths, kind="stable")
    d, lengths = d[:, order], lengths[order] * scale
    u[:, :k], v[:, :k] = u[:, order], v[:, order]
    signs = _signs(u)
    u, v[:, :k] = u * signs, v[:, :k] * signs[:k] * _signs(d)
    v[:, k:] *= _signs(v[:, k:])
    return u, lengths, v.T


def _rotated(core: NDArray, negligible: float) -> tuple[tuple[NDArray, NDArray], int]:
    """Turn pairs of rows and columns of (taps, k, k) until all taps are diagonal; core changes.

    Return the products of the rotations and the number of sweeps. [[a, b], [c, d]] is the complex
    number z = (a + d) + i(b − c), which turns by the difference of the two angles, and
    w = (a − d) + i(b + c), which turns by their sum. The imaginary parts go for one tap; the
    principal axes of the z_t and of the w_t make them least for all.
    """
    k = core.shape[1]
    left, right = np.eye(k), np.eye(k)
    for sweep in range(SWEEPS):
        still = True
        for p in range(k - 1):
            for q in range(p + 1, k):
                (a, b), (c, d) = core[:, p, [p, q]].T, core[:, q, [p, q]].T
                if np.hypot(np.linalg.norm(b), np.linalg.norm(c)) <= negligible:
                    continue
                still = False
                difference = -np.angle(np.sum(((a + d) + 1j * (b - c)) ** 2)) / 2
                total = np.angle(np.sum(((a - d) + 1j * (b + c)) ** 2)) / 2
                turn, other = _turn((total + difference) / 2), _turn((total - difference) / 2)
                core[:, [p, q]] = turn @ core[:, [p, q]]
                core[:, :, [p, q]] = core[:, :, [p, q]] @ other.T
                left[:, [p, q]] = left[:, [p, q]] @ turn.T
                right[:, [p, q]] = right[:, [p, q]] @ other.T
        if still:
            return (left, right), sweep
    return (left, right), SWEEPS


def _turn(angle: float) -> NDArray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def _signs(vectors: NDArray) -> NDArray:
    """Return ±1 for each column: the sign of its first entry of largest modulus."""
    if 0 in vectors.shape:
        return np.ones(vectors.shape[1])
    largest = np.abs(vectors).argmax(axis=0)
    return np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
