"""prune: turn a space so that weak neurons come last, remove them, and certify what that does.

prune = drop ∘ diagonalise        ‖forward(pruned, x) − forward(net, x)‖ ≤ certificate.bound
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Any
from zlib import crc32

import numpy as np

from isoref import arrays, factor
from isoref.arrays import Array
from isoref.certificate import Certificate
from isoref.diagonal import rotation
from isoref.edits import Drop, Rotate, replay
from isoref.gauge import UNIT, check_hidden
from isoref.network import Network
from isoref.norms import downstream, length, operator_norm, state_radius, times
from isoref.propagation import check_batch, trace
from isoref.topology import incoming

NDArray = np.ndarray[Any, Any]


def prune(
    net: Network,
    space: int,
    *,
    count: int | None = None,
    tolerance: float | None = None,
    inputs: Array | None = None,
    radius: float | None = None,
    center: str = "bias",
) -> tuple[Network, Certificate]:
    """Remove the weakest directions of a hidden space, with a certificate (C13, C30, C33).

    With center="bias" the space is turned by the left singular vectors of M = [W | ψ], which
    minimises ‖m_D‖ over all gauges, and the last neurons become the constants b_D. With
    center="mean" it is turned by the principal axes of the pre-activations of `inputs`, and the
    neurons become their means: least mean squared pre-activation error, usually but not always
    the smaller output error.

    Parameters
    ----------
    net : Network
        The network to prune.
    space : int
        1 … L.
    count : int, optional
        How many neurons to remove, 1 … n_s − 1. Give this or `tolerance`.
    tolerance : float, optional
        Remove as many neurons as a bound on ‖Δy‖₂ of at most this allows.
    inputs : array of shape (B, n_0), optional
        The certificate then holds for these inputs, and measures the error on them.
    radius : float, optional
        Without inputs: the certificate holds for every input of ‖x‖ ≤ radius. Without both, its
        `exact_bound` holds for every input at all where the profile is bounded and s ≥ 2; the
        bound with rounding is infinite, because W x + b can cancel to any degree.
    center : {"bias", "mean"}
        The constants; "mean" needs inputs.

    Returns
    -------
    Network, Certificate
        The pruned network; bound, measured error and edits.

    Raises
    ------
    ValueError
        When arguments are out of range, do not fit or contradict each other, or the tolerance
        cannot be met; the error then tells the best bound that can.

    Examples
    --------
    >>> net = Network.random((4, 8, 3), init="he_normal", seed=0)
    >>> x = np.random.default_rng(1).standard_normal((20, 4))
    >>> pruned, certificate = prune(net, 1, count=5, inputs=x)
    >>> pruned.widths, bool(certificate.measured <= certificate.bound)
    ((4, 3, 3), True)
    """
    check_hidden(net, space)
    x = _checked(net, space, count, tolerance, inputs, radius, center)
    width = net.widths[space]
    state = None if x is None else trace(net, x).states[space - 1]
    if center == "mean":
        turn, discards, means = _principal(net, space, state)
    else:
        turn, discards = _weakest(net, space, state, radius, count)
    reach = _reach(net, space, state, radius)
    assumption = _assumption(x, radius)

    def certified(k: int) -> tuple[Network, Certificate]:
        dropped = tuple(range(width - k, width))
        values = None
        if center == "mean":
            values = arrays.like(means[width - k :], net.reference)
        steps = (turn, Drop(space, dropped, values))
        pruned = replay(net, steps)
        return pruned, Certificate(
            edits=steps,
            removed=k,
            space=space,
            before=net,
            after=pruned,
            discarded=float(discards[width - k]),
            radius=reach,
            inputs=x,
            reach=inf if radius is None else radius,
            assumption=assumption,
        )

    if count is not None:
        return certified(count)
    coefficient = downstream(net, space)
    for k in range(width - 1, 0, -1):
        if times(coefficient, float(discards[width - k])) <= float(tolerance or 0):
            pruned, certificate = certified(k)
            if certificate.bound <= float(tolerance or 0):
                return pruned, certificate
    _, best = certified(1)
    raise ValueError(
        f"tolerance must be at least {best.bound:.6g}, the bound for one neuron, to remove any "
        f"from space {space}, got {tolerance}; raise it"
        + ("" if x is not None else ", or give inputs, which sharpen the bound")
    )


def _weakest(
    net: Network, space: int, state: Any, radius: float | None, count: int | None
) -> tuple[Rotate, NDArray]:
    """Turn by the left singular vectors; discards[j] bounds what dropping j … n − 1 discards."""
    matrix = incoming(net, space)
    if count is not None and arrays.precision(net.reference) == "float32":
        # Below float32's rounding the Gram eigenproblem resolves nothing, and nothing is needed.
        turn = factor.left_factors(matrix, UNIT["float32"])[0].T
        dropped = turn[-count:] @ matrix
        if state is not None:
            size = float(_tails(_state(state) @ dropped.T)[0])
        else:
            size = times(operator_norm(dropped), _reach(net, space, state, radius))
        return rotation(net, space, turn), np.full(len(matrix), size)
    u, s = factor.left_factors(matrix)
    if state is not None:
        # a − b in the turned basis is U'M(h, g), for every input.
        rows = _state(state) @ matrix.T @ u
        return rotation(net, space, u.T), _tails(rows)
    reach = _reach(net, space, state, radius)
    padded = np.concatenate([s, np.zeros(len(u) - len(s))])
    # The computed values are off by at most the backward error of the factorisation.
    error = max(matrix.shape) * 2.0**-53 * length(matrix)
    norms = padded + error if padded.any() else padded
    return rotation(net, space, u.T), np.array([times(norm, reach) for norm in norms])


def _principal(net: Network, space: int, state: Any) -> tuple[Rotate, NDArray, NDArray]:
    """Turn by the principal axes of the pre-activations; the constants are their means."""
    matrix = incoming(net, space)
    bias = arrays.to_numpy(net.layers[space - 1].bias).astype(np.float64)
    a = _state(state) @ matrix.T + bias
    mean = a.mean(axis=0)
    u, _ = factor.left_factors((a - mean).T)
    constants = (mean @ u).astype(arrays.precision(net.reference)).astype(np.float64)
    return rotation(net, space, u.T), _tails(a @ u - constants), constants


def _tails(rows: NDArray) -> NDArray:
    """Return, for each j, the largest length over the rows of their entries from j on."""
    largest = float(np.max(np.abs(rows), initial=0.0)) or 1.0
    squares = np.cumsum(((rows / largest) ** 2)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(largest * np.sqrt(squares.max(axis=0)))


def _state(state: Any) -> NDArray:
    h = arrays.to_numpy(state.h).astype(np.float64)
    if state.g is None:
        return h
    return np.concatenate([h, arrays.to_numpy(state.g).astype(np.float64)], axis=1)


def _reach(net: Network, space: int, state: Any, radius: float | None) -> float:
    if state is not None:
        return float(_tails(_state(state))[0])
    return state_radius(net, space - 1, inf if radius is None else radius)


def _assumption(x: Array | None, radius: float | None) -> str:
    if x is not None:
        content = np.ascontiguousarray(arrays.to_numpy(x)).tobytes()
        return f"the {x.shape[0]} inputs given (CRC-32 {crc32(content):08x})"
    return "every input" if radius is None else f"every input with ‖x‖ ≤ {radius!r}"


def _checked(
    net: Network,
    space: int,
    count: int | None,
    tolerance: float | None,
    inputs: Array | None,
    radius: float | None,
    center: str,
) -> Array | None:
    width = net.widths[space]
    if width == 1:
        raise ValueError(f"space {space} must have two neurons or more to lose one, got 1")
    if (count is None) == (tolerance is None):
        raise ValueError("give either count or tolerance, got both or neither")
    if count is not None and count not in range(1, width):
        raise ValueError(
            f"count must be 1 … {width - 1}, so that a neuron is left in space {space}, got {count}"
        )
    if tolerance is not None and not (isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be finite and not negative, got {tolerance}")
    if center not in ("bias", "mean"):
        raise ValueError(f"center must be 'bias' or 'mean', got {center!r}")
    if center == "mean" and inputs is None:
        raise ValueError("inputs must be given for center='mean', got None")
    if inputs is not None and radius is not None:
        raise ValueError("give inputs or radius, not both: the radius of inputs is measured")
    if radius is not None and not radius >= 0:
        raise ValueError(f"radius must not be negative, got {radius}")
    if inputs is not None:
        check_batch("inputs", inputs, net, net.widths[0])
        if inputs.shape[0] == 0:
            raise ValueError("inputs must have at least one row, got none")
        if not np.isfinite(arrays.to_numpy(inputs)).all():
            raise ValueError("inputs must be finite, got NaN or infinity")
    if tolerance is not None and inputs is None and (radius is None or not isfinite(radius)):
        raise ValueError(
            "tolerance needs inputs or a radius: for unbounded inputs the rounding has no bound; "
            "pass inputs=x or radius=max‖x‖"
        )
    return inputs
