"""prune: turn a space so that weak neurons come last, remove them, and certify what that does.

prune = drop ∘ diagonalise        ‖forward(pruned, x) − forward(net, x)‖ ≤ certificate.bound
"""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import Any
from zlib import crc32

import numpy as np

from isoref import arrays, factor
from isoref.arrays import Array
from isoref.certificate import Certificate, downstream, operator_norm, state_radius, times
from isoref.diagonal import rotation
from isoref.edits import Drop, Rotate, replay
from isoref.gauge import check_hidden
from isoref.network import Network
from isoref.propagation import trace
from isoref.topology import incoming

NDArray = np.ndarray[Any, Any]

PROBES = 64
"""Random inputs at the radius, on which the rounding bound is taken where no inputs are given."""


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
        Without inputs: the certificate holds for every input of ‖x‖ ≤ radius. Without both, for
        every input at all where the profile is bounded and s ≥ 2; else the bound is infinite.
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
    probes = _probes(net, radius) if x is None else x

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
            inputs=probes,
            given=x is not None,
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
        f"from space {space}, got {tolerance}; raise it, or give inputs, which sharpen the bound"
    )


def _weakest(
    net: Network, space: int, state: Any, radius: float | None, count: int | None
) -> tuple[Rotate, NDArray]:
    """Turn by the left singular vectors; discards[j] bounds what dropping j … n − 1 discards."""
    matrix = incoming(net, space)
    if count is not None and arrays.precision(net.reference) == "float32":
        turn = factor.weakest(matrix, count)
        dropped = turn[-count:] @ matrix
        if state is not None:
            size = float(np.linalg.norm(_state(state) @ dropped.T, axis=1).max())
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
    error = max(matrix.shape) * 2.0**-53 * float(np.linalg.norm(matrix))
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
    squares = np.cumsum((rows**2)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.sqrt(squares.max(axis=0)))


def _state(state: Any) -> NDArray:
    h = arrays.to_numpy(state.h).astype(np.float64)
    if state.g is None:
        return h
    return np.concatenate([h, arrays.to_numpy(state.g).astype(np.float64)], axis=1)


def _reach(net: Network, space: int, state: Any, radius: float | None) -> float:
    if state is not None:
        return float(np.linalg.norm(_state(state), axis=1).max())
    return state_radius(net, space - 1, inf if radius is None else radius)


def _probes(net: Network, radius: float | None) -> Array:
    """Return random inputs at the radius, or of length √n_0 where none is known."""
    draw = np.random.default_rng(0).standard_normal((PROBES, net.widths[0]))
    length = radius if radius is not None and isfinite(radius) else sqrt(net.widths[0])
    return arrays.like(length * draw / np.linalg.norm(draw, axis=1, keepdims=True), net.reference)


def _assumption(x: Array | None, radius: float | None) -> str:
    if x is not None:
        content = np.ascontiguousarray(arrays.to_numpy(x)).tobytes()
        return f"the {x.shape[0]} inputs given (CRC-32 {crc32(content):08x})"
    return "every input" if radius is None else f"every input with ‖x‖ ≤ {radius:g}"


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
    if inputs is not None and inputs.shape[0] == 0:
        raise ValueError("inputs must have at least one row, got none")
    unbounded = inputs is None and not isfinite(_reach(net, space, None, radius))
    if tolerance is not None and unbounded:
        raise ValueError(
            "tolerance needs inputs or a radius here, where no a-priori bound is known; "
            "pass inputs=x or radius=max‖x‖"
        )
    return inputs
