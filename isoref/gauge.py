"""The gauge: rotations of hidden spaces that leave the function as it is.

The laws:

    forward(rotate(net, s, R), x) == forward(net, x)
    rotate(rotate(net, s, R), s, Q) == rotate(net, s, Q R)
    backward after rotate == rotate after backward
"""

from __future__ import annotations

from functools import reduce
from math import sqrt
from operator import add, index
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.network import Layered, Network, Tangent, Tree, plain, tree_map
from isoref.structure import dense

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
"""Unit roundoffs."""


def rotate(tree: Tree, space: int, R: Array) -> Tree:
    """Act on a hidden space by an orthogonal matrix: every axis that belongs to it is rotated.

    W_{s-1}, b_{s-1}, ψ_{s-1} → R W_{s-1}, R b_{s-1}, R ψ_{s-1} and W_s → W_s Rᵀ, for a network and
    for its gradients, velocities and first moments alike (C06, C21). q does not change. Spaces that
    skips connect turn together.

    Parameters
    ----------
    tree : Network or Tangent
        What is turned.
    space : int
        1 … L.
    R : array of shape (n_s, n_s)
        Orthogonal, in the library and dtype of `tree`.

    Raises
    ------
    TypeError, ValueError
        When the space is not hidden, or R does not fit or is not orthogonal to rounding:
        max|RRᵀ − I| ≤ (3√n + 12) u, six deviations of an orthogonal matrix that was rounded once
        and of the product.

    Examples
    --------
    >>> from isoref import Network, forward
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> turned = rotate(net, 1, np.eye(3)[[2, 0, 1]])
    >>> x = np.ones((1, 2))
    >>> bool(abs(forward(turned, x) - forward(net, x)) < 1e-15)
    True
    """
    check_hidden(tree, space)
    check_orthogonal(tree, space, R)
    return acted(tree, space, R)


def acted(tree: Tree, space: int, matrix: Array) -> Tree:
    """Return the tree with any matrix (n_s, n_s) applied to every axis of a space."""

    def act(array: Array, spaces: tuple[int, ...]) -> Array:
        for axis, label in enumerate(spaces):
            if label == tree.label(space):
                array = arrays.turned(matrix, array, axis)
        return array

    return tree_map(act, tree)


def moment(net: Network, gradient: Tangent, space: int) -> Array:
    """Return W W̄ᵀ + b b̄ᵀ + ψ ψ̄ᵀ − W̄_nextᵀ W_next of a hidden space, shape (n_s, n_s).

    It is symmetric for the gradient of any function of the output, because the gradient is
    orthogonal to the gauge orbit: n(n − 1)/2 checks of a gradient without differences (C31). Of
    spaces that skips connect it is the sum.

    Examples
    --------
    >>> from isoref import Network, backward, trace
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> gradient, _ = backward(net, trace(net, np.ones((1, 2))), np.ones((1, 1)))
    >>> m = moment(net, gradient, 1)
    >>> bool(abs(m - m.T).max() < 1e-15)
    True
    """
    check_hidden(net, space)
    return reduce(add, (_moment(net, gradient, member) for member in net.members(space)))


def _moment(net: Network, gradient: Tangent, space: int) -> Array:
    below, bar = net.layers[space - 1], gradient.layers[space - 1]
    above, bar_above = net.layers[space], gradient.layers[space]
    total = _product(dense(below.weight), dense(bar.weight))
    total = total + below.bias[:, None] * bar.bias[None, :]
    if below.psi is not None and bar.psi is not None:
        total = total + _product(below.psi, bar.psi)
    return total - _product(dense(bar_above.weight), dense(above.weight), axis=1)


def _product(first: Array, second: Array, axis: int = 0) -> Array:
    """Return Σ first_i second_j over all axes but one: A Bᵀ for matrices and axis 0."""
    if first.ndim > 2:
        xp = arrays.namespace(first, second)
        flat = [xp.moveaxis(v, axis, 0) for v in (first, second)]
        first, second = (xp.reshape(v, (v.shape[0], -1)) for v in flat)
    elif first.ndim == 1:
        first, second = first[:, None], second[:, None]
    elif axis == 1:
        first, second = first.T, second.T
    return first @ second.T


def check_hidden(tree: Tree, space: int) -> None:
    """Raise unless `tree` can be rotated and `space` is one of its hidden spaces 1 … L."""
    check_isotropic(tree)
    check_space(tree.widths, space)


def check_isotropic(tree: object) -> None:
    """Raise unless `tree` is a Network or a Tangent: others look alike but have no such gauge."""
    if not isinstance(tree, Network | Tangent):
        reason = getattr(tree, "no_gauge", "")
        raise TypeError(f"a Network or Tangent is expected, got {type(tree).__name__}{reason}")


def check_alone(net: Layered, *spaces: int) -> None:
    """Raise where a skip connects one of these hidden spaces; without any, one of all."""
    for space in spaces or range(1, net.depth + 1):
        if len(net.members(space)) > 1:
            raise ValueError(
                f"space {space} must have axes of its own here, but skips connect the spaces "
                f"{net.members(space)}; rotate, grow, drop, prune and compress act on them together"
            )


def check_space(widths: tuple[int, ...], space: int) -> None:
    """Raise unless `space` is a hidden space, 1 … L."""
    depth = len(widths) - 2
    if depth == 0:
        raise ValueError(f"a network with a hidden space is expected, got widths {widths}")
    if index(space) not in range(1, depth + 1):
        raise ValueError(
            f"space must be a hidden space, 1 … {depth} for widths {widths}, got {space}"
        )


def check_orthogonal(tree: Tree, space: int, R: Array) -> None:
    """Raise unless R is an orthogonal matrix of the size, library and dtype of the space."""
    reference, width = tree.reference, tree.widths[space]
    arrays.check_alike("R", R, reference)
    if tuple(R.shape) != (width, width):
        raise ValueError(
            f"R must have shape ({width}, {width}) for space {space}, got {tuple(R.shape)}"
        )
    kind = arrays.precision(R)
    if kind == "exact":
        return
    host = arrays.to_numpy(R)
    defects = host @ host.T
    defects[np.diag_indices(width)] -= 1
    defect = float(np.max(np.abs(defects))) / UNIT[kind]
    limit = 3 * sqrt(width) + 12
    if not defect <= limit:
        raise ValueError(
            f"R must be orthogonal: max|R Rᵀ − I| must be at most {limit:.0f} u, "
            f"got {defect:.3g} u; take Q of its QR decomposition, or draw one with isoref.haar"
        )


def rotation_deviation(
    net: Network, deviation: Tangent, space: int, R: np.ndarray[Any, Any]
) -> Tangent:
    """Return the standard deviations of the parameters after `rotate(net, space, R)`, in float64.

    Old deviations d turn into √(R² d²). The rotation adds that of its sums, (½√n + 1) u Σ|terms|
    with the roundoff u of the dtype of R, and what R lacks in orthogonality, |RRᵀ − I| |R| |W|.
    """
    n, unit = len(R), UNIT[arrays.precision(R)]
    wide = np.abs(R.astype(np.float64))
    defect = np.abs(R.astype(np.float64) @ R.astype(np.float64).T - np.eye(n))

    def spread(array: Array, before: Array, spaces: tuple[int, ...]) -> Array:
        result = arrays.to_numpy(before).astype(np.float64)
        size = np.abs(arrays.to_numpy(array).astype(np.float64))
        for axis in [k for k, label in enumerate(spaces) if label == net.label(space)]:
            w, d = np.moveaxis(size, axis, 0), np.moveaxis(result, axis, 0)
            turned = np.tensordot(wide, w, axes=1)
            own = (0.5 * sqrt(n) + 1) * unit * turned
            lost = np.tensordot(defect, turned, axes=1)
            scale = float(np.max(d, initial=0.0)) or 1.0  # no square over- or underflows
            old = scale * np.sqrt(np.tensordot(wide**2, (d / scale) ** 2, axes=1))
            result = np.moveaxis(np.hypot(np.hypot(old, own), lost), 0, axis)
        return result

    def host(tree: Network | Tangent) -> Tangent:
        return tree_map(
            lambda array, _: arrays.to_numpy(array).astype(np.float64), plain(tree.tangent())
        )

    return tree_map(spread, host(net), host(deviation))
