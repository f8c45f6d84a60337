"""Operator norms and radii, rounded up: what a change of one space can become at the output.

downstream(net, s)        times a change of a in space s bounds the change of the output
state_radius(net, s, ρ)   bounds ‖(h, g)‖ in space s for every input of ‖x‖ ≤ ρ
rounding(net, ρ)          bounds what floating point adds to an output, for every such input
"""

from __future__ import annotations

from math import hypot, inf, isfinite, pi, sqrt
from typing import Any

import numpy as np

from isoref import arrays
from isoref.gauge import UNIT
from isoref.network import Network, Tangent
from isoref.profiles import Profile
from isoref.tolerance import FACTOR
from isoref.topology import incoming

NDArray = np.ndarray[Any, Any]

UP = 1 + 2.0**-40
"""Factor that rounds a product of a few dozen float64 numbers up."""


def downstream(net: Network, space: int) -> float:
    """Return ∏_{j=s}^{L} Λ_{q_j} ∏_{i≥s} ‖M_i‖, rounded up: the coefficient of a certificate.

    Examples
    --------
    >>> net = Network.random((2, 3, 3, 1), seed=0)
    >>> bool(1 <= downstream(net, 1) < 1 + 1e-11)
    True
    """
    product = 1.0
    for s in range(space, net.depth + 1):
        product = times(product, times(_lambda(net, s), operator_norm(incoming(net, s + 1)))) * UP
    return product


def operator_norm(matrix: NDArray) -> float:
    """Return the largest singular value, rounded up by the backward error of its computation.

    σ + max(m, n) u ‖A‖_F, u = 2^-53: Weyl's inequality with the backward error that LAPACK
    documents, p(m, n) u ‖A‖, for a modest p; a zero matrix has norm 0.

    Examples
    --------
    >>> bool(2 <= operator_norm(np.diag([2.0, 1.0])) < 2 + 1e-11)
    True
    """
    largest = float(np.max(np.abs(matrix), initial=0.0))
    if largest == 0:
        return 0.0
    scaled = matrix / largest
    error = max(matrix.shape) * 2.0**-53 * float(np.linalg.norm(scaled))
    return float((np.linalg.norm(scaled, 2) + error) * largest * UP)


def state_radius(net: Network, space: int, radius: float) -> float:
    """Return a bound on ‖(h, g)‖ in a hidden space for all inputs of ‖x‖ ≤ radius.

    The smaller of the a-priori bound of the profile and of what the layers before allow,
    ‖(h, g)‖² ≤ (Lip ‖a‖)² + (sup γ)², sup γ ≤ Lip. `radius` may be infinite; the result is then
    the a-priori bound, infinite for profiles that grow. For space 0 it is `radius`.

    Examples
    --------
    >>> net = Network.random((2, 3, 3, 1), seed=0)
    >>> round(state_radius(net, 2, float("inf")), 4), round(state_radius(net, 1, 0.1), 4)
    (1.0881, 1.005)
    """
    for s in range(1, space + 1):
        layer, lip = net.layers[s - 1], net.profile.Lip
        bias = float(np.linalg.norm(arrays.to_numpy(layer.bias).astype(np.float64)))
        length = (times(operator_norm(incoming(net, s)), radius) + bias) * UP
        # Where Lip is infinite (unit) only the a-priori bound is left.
        allowed = hypot(times(lip, length), lip) * UP if isfinite(lip) else inf
        radius = min(a_priori_radius(net.profile, number(layer.q)), allowed)
    return radius


def a_priori_radius(profile: Profile, q: float) -> float:
    """Return a bound on sup over a of ‖(h, g)‖ at fixed q, infinite where the profile grows.

    ‖(h, g)‖² = γ² (r² − q + 1) is largest at q = 0, `unit` excepted. There it is, for tanh,
    1.08806050815 at r = 1.43193; for atan θ²/sin²θ with r = tan θ, below π²/4; for softsign
    (r² + 1)/(1 + r)² ≤ 1; for squash r²/(1 + r²) < 1. For unit it is at most max(1, 1/q).
    """
    if profile.name == "unit":
        return inf if q == 0 else max(1.0, sqrt(1 / q)) * UP
    return A_PRIORI.get(profile.name, inf)


A_PRIORI = {"tanh": 1.08806050815, "atan": pi / 2 * UP, "softsign": 1.0, "squash": 1.0}


def _lambda(net: Network, space: int) -> float:
    return net.profile.Lambda_q(number(net.layers[space - 1].q))


def times(a: float, b: float) -> float:
    """Return a b, and 0 where a factor is 0, whatever the other: 0 · ∞ = 0."""
    return 0.0 if a == 0 or b == 0 else a * b


def number(q: Any) -> float:
    """Return a 0-d array of any library as a float."""
    return float(arrays.to_numpy(q))


def length(array: NDArray) -> float:
    """Return the Euclidean norm of all entries, without overflow of their squares."""
    largest = float(np.max(np.abs(array), initial=0.0))
    if largest == 0 or not isfinite(largest):
        return largest
    return float(np.linalg.norm(array / largest)) * largest


def rounding(net: Network, radius: float, deviation: Tangent) -> float:
    """Return a bound on what floating point adds to any output for all inputs of ‖x‖ ≤ radius.

    Six deviations, as section 10 of the specification models them, but at their largest over the
    whole ball and added up without signs: of the sums (½√n + 1) u Σ|terms|, of h and g 5u, of r
    (¼√n + 2.5) u, and of the parameters `deviation`; each times all Λ and ‖M‖ that follow.
    Infinite for an unbounded ball: W x + b can cancel to any degree there.
    """
    unit, total = UNIT[arrays.precision(net.reference)], 0.0
    for s in range(1, net.depth + 2):
        layer, own = net.layers[s - 1], deviation.layers[s - 1]
        reach = state_radius(net, s - 1, radius)
        matrix = incoming(net, s)
        n, bias = matrix.shape[1] + 1, length(arrays.to_numpy(layer.bias).astype(np.float64))
        spread = [own.weight] if own.psi is None else [own.weight, own.psi]
        moved = hypot(*(length(np.asarray(v, np.float64)) for v in spread))
        terms = times(operator_norm(np.abs(matrix)), reach) + bias
        error = (0.5 * sqrt(n) + 1) * unit * terms + times(moved, reach) + length(own.bias)
        total += times(error, downstream(net, s)) * UP
        if s <= net.depth:
            span = hypot(times(operator_norm(matrix), reach) + bias, 1.0)
            slope = net.profile.Lip * span if isfinite(net.profile.Lip) else 0.0
            after = state_radius(net, s, radius)
            # r is off by its own rounding, and by that of q: δr/r = δq/(2 r²) ≤ δq/(2 q).
            off = (0.25 * sqrt(len(matrix)) + 2.5) * unit
            q, off_q = number(layer.q), float(own.q)
            off += 0.0 if off_q == 0 else off_q / (2 * q) if q > 0 else inf
            error = 5 * unit * after + times(off, max(slope, after))
            norm = operator_norm(incoming(net, s + 1))
            total += times(error, times(norm, downstream(net, s + 1))) * UP
    return FACTOR * total
