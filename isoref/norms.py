"""Operator norms and radii, rounded up: what a change of one space can become at the output.

downstream(net, s)        times a change of a in space s bounds the change of the output
state_radius(net, s, ρ)   bounds ‖(h, g)‖ in space s for every input of ‖x‖ ≤ ρ
rounding(net, ρ, …)       bounds what floating point adds to an output, for every such input

Of convolutions all norms run over the positions of a sample, so that they depend on the extents of
its image: ‖b‖ and a-priori radii, which hold at each position, gain √positions.
"""

from __future__ import annotations

from math import hypot, inf, isfinite, pi, prod, sqrt
from typing import Any

import numpy as np

from isoref import arrays
from isoref.gauge import UNIT
from isoref.network import Network, Tangent
from isoref.operator_norms import UP, layer_norm, operator_norm, reading_norm, readings
from isoref.profiles import Profile
from isoref.tolerance import FACTOR
from isoref.topology import incoming
from isoref.windows import Geometry, Image

NDArray = np.ndarray[Any, Any]

__all__ = ["UP", "downstream", "operator_norm", "rounding", "state_radius"]


def downstream(net: Network, space: int, image: Image = ()) -> float:
    """Return ∏_{j=s}^{L} Λ_{q_j} ∏_{i≥s} ‖M_i‖, rounded up: the coefficient of a certificate.

    With skips it is Λ_{q_s} K_s with K_L = ‖M_L‖ and K_s = ‖M_s‖ Λ_{q_{s+1}} K_{s+1} + Σ K_t over
    the skips (s, t): what a change of (h_s, g_s) becomes on all its ways, added up.

    `image` holds the extents of the input images, () for dense layers.

    Examples
    --------
    >>> net = Network.random((2, 3, 3, 1), seed=0)
    >>> bool(1 <= downstream(net, 1) < 1 + 1e-11)
    True
    """
    if space > net.depth:
        return 1.0
    norms = _norms(net, readings(net, image), range(space, net.depth + 1))
    return times(_lambda(net, space), _ways(net, space, norms)) * UP


def _norms(net: Network, where: list[Geometry], layers: range) -> dict[int, float]:
    """Return ‖M_i‖ of layers."""
    return {i: layer_norm(incoming(net, i + 1), where[i]) for i in layers}


def _ways(net: Network, space: int, norms: dict[int, float]) -> float:
    """Return K_s: a change of (h, g) in a space, 0 … L, is multiplied by at most that."""
    found = {net.depth: norms[net.depth]}
    for s in range(net.depth - 1, space - 1, -1):
        onward = times(norms[s], times(_lambda(net, s + 1), found[s + 1])) * UP
        found[s] = (onward + sum(found[t] for source, t in net.skips if source == s)) * UP
    return found[space]


def state_radius(net: Network, space: int, radius: float, image: Image = ()) -> float:
    """Return a bound on ‖(h, g)‖ in a hidden space for all inputs of ‖x‖ ≤ radius.

    The smaller of the a-priori bound of the profile and of what the layers before allow,
    ‖(h, g)‖² ≤ (Lip ‖a‖)² + P (sup γ)², sup γ ≤ Lip, over the P positions of the space.
    ‖a‖ ≤ ‖M‖ ‖(h, g)‖ + √P ‖b‖, and a-priori bounds gain √P. `radius` may be infinite; the result
    is then the a-priori bound, infinite for profiles that grow. For space 0 it is `radius`.

    Examples
    --------
    >>> net = Network.random((2, 3, 3, 1), seed=0)
    >>> round(state_radius(net, 2, float("inf")), 4), round(state_radius(net, 1, 0.1), 4)
    (1.0881, 1.005)
    """
    where = readings(net, image)
    return _radii(net, space, radius, where, _norms(net, where, range(space)))[-1]


def _radii(
    net: Network, space: int, radius: float, where: list[Geometry], norms: dict[int, float]
) -> list[float]:
    """Return `state_radius` of the spaces 0 … space."""
    found = [radius]
    for i in range(space):
        layer, lip, root = net.layers[i], net.profile.Lip, root_of_positions(where[i])
        bias = float(np.linalg.norm(arrays.to_numpy(layer.bias).astype(np.float64)))
        length = (times(norms[i], found[-1]) + root * bias) * UP
        # Where Lip is infinite (unit) only the a-priori bound is left.
        allowed = hypot(times(lip, length), root * lip) * UP if isfinite(lip) else inf
        own = min(root * a_priori_radius(net.profile, number(layer.q)), allowed)
        found.append((own + sum(found[source] for source in net.sources(i + 1))) * UP)
    return found


def root_of_positions(where: Geometry) -> float:
    """Return √P of the P positions that a layer writes, rounded up; 1 without an image."""
    positions = prod(where.out)
    return 1.0 if positions == 1 else sqrt(positions) * UP


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


def rounding(net: Network, radius: float, deviation: Tangent, image: Image = ()) -> float:
    """Return a bound on what floating point adds to any output for all inputs of ‖x‖ ≤ radius.

    Six deviations, as section 10 of the specification models them, but at their largest over the
    whole ball and added up without signs: of the sums (½√n + 1) u Σ|terms|, of h and g 5u, of r
    (¼√n + 2.5) u, and of the parameters `deviation`; each times all Λ and ‖M‖ that follow. Averages
    over blocks of m positions are sums of m terms. Infinite for an unbounded ball: W x + b can
    cancel to any degree there.
    """
    unit, total, where = UNIT[arrays.precision(net.reference)], 0.0, readings(net, image)
    norms = _norms(net, where, range(net.depth + 1))
    radii = _radii(net, net.depth, radius, where, norms)
    for s in range(1, net.depth + 2):
        layer, own, here = net.layers[s - 1], deviation.layers[s - 1], where[s - 1]
        reach, root, matrix = radii[s - 1], root_of_positions(here), incoming(net, s)
        n, block = matrix.shape[1] + 1, prod(here.blocks)
        bias = root * length(arrays.to_numpy(layer.bias).astype(np.float64))
        spread = [own.weight] if own.psi is None else [own.weight, own.psi]
        moved = hypot(*(length(np.asarray(v, np.float64)) for v in spread))
        terms = times(layer_norm(np.abs(matrix), here), reach) + bias
        sums = 0.5 * sqrt(n) + 1 + (0 if block == 1 else 0.5 * sqrt(block) + 1)
        moved = times(moved * reading_norm(here), reach)
        error = sums * unit * terms + moved + root * length(own.bias)
        if s > net.depth:
            total += error
        else:
            total += times(error, times(_lambda(net, s), _ways(net, s, norms))) * UP
            span = hypot(times(norms[s - 1], reach) + bias, root)
            slope = net.profile.Lip * span if isfinite(net.profile.Lip) else 0.0
            after = radii[s]
            # r is off by its own rounding, and by that of q: δr/r = δq/(2 r²) ≤ δq/(2 q).
            off = (0.25 * sqrt(len(matrix)) + 2.5) * unit
            q, off_q = number(layer.q), float(own.q)
            off += 0.0 if off_q == 0 else off_q / (2 * q) if q > 0 else inf
            sums_of_skips = len(net.sources(s))
            error = (5 + sums_of_skips) * unit * after + times(off, max(slope, after))
            total += times(error, _ways(net, s, norms)) * UP
    return FACTOR * total
