r"""Certificates: how far an output can move when neurons are replaced by constants.

    ‖Δy‖ ≤ ∏_{j=s}^{L} Λ_{q_j} · ∏_{i≥s} ‖M_i‖ · ‖m_D(h, g) + b_D − c‖ + rounding        (C13)

with the operator norms of the network before the edit, (h, g) the state that layer s − 1 reads, and
Λ_q ≤ Λ the Lipschitz constant of a ↦ (h⁺, g⁺) at fixed q. With c = b_D the last factor is at most
‖m_D‖ ‖(h, g)‖, a bound for every input of a given radius. Specification, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import hypot, inf, isfinite, pi, sqrt
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.diagonal import Report
from isoref.edits import deviations
from isoref.network import Network
from isoref.profiles import Profile
from isoref.propagation import forward
from isoref.tolerance import bounds
from isoref.topology import incoming

NDArray = np.ndarray[Any, Any]

UP = 1 + 2.0**-40
"""Factor that rounds a product of a few dozen float64 numbers up."""


@dataclass(frozen=True, eq=False)
class Certificate(Report):
    """A bound on ‖Δy‖₂ of one edit, and what it rests on; `total` adds several.

    The coefficient, the rounding bound and the measured error are computed when they are asked for.

    Attributes
    ----------
    edits : tuple of Edit
        What was done.
    removed : int
        Number of neurons removed.
    space : int
        The hidden space they were removed from.
    before, after : Network
        The network that was edited, and the result.
    discarded : float
        The largest ‖m_D(h, g) + b_D − c‖ under the assumption.
    radius : float
        The largest ‖(h, g)‖, or ‖x‖ if s = 1, under the assumption.
    inputs : array of shape (B, n_0)
        The inputs given, or random ones at the radius on which rounding is taken.
    given : bool
        Whether the inputs were given.
    assumption : str
        For which inputs the bound holds.
    """

    removed: int
    space: int
    before: Network
    after: Network
    discarded: float
    radius: float
    inputs: Array
    given: bool
    assumption: str

    @cached_property
    def coefficient(self) -> float:
        """∏ Λ_q ∏ ‖M_i‖: what a change of the dropped pre-activations is multiplied by at most."""
        return downstream(self.before, self.space)

    @cached_property
    def rounding(self) -> float:
        """Bound on what floating point adds, at six deviations (specification, section 10).

        The largest over the inputs; statistical, the more so if they were not given.
        """
        spread = deviations(self.before, self.edits)
        first = bounds(self.before, self.inputs).y
        second = bounds(self.after, self.inputs, deviation=spread).y
        return float(np.linalg.norm(first + second, axis=1).max())

    @cached_property
    def measured(self) -> float | None:
        """The largest ‖Δy‖ over the inputs; None if none were given."""
        if not self.given:
            return None
        outputs = (forward(net, self.inputs) for net in (self.after, self.before))
        after, before = (arrays.to_numpy(y).astype(np.float64) for y in outputs)
        return float(np.linalg.norm(after - before, axis=1).max())

    @property
    def exact_bound(self) -> float:
        """The bound in exact arithmetic: coefficient × discarded, rounded up."""
        return times(self.coefficient, self.discarded) * UP

    @property
    def bound(self) -> float:
        """The bound on ‖Δy‖₂, rounding included."""
        return self.exact_bound + self.rounding


def total(certificates: list[Certificate]) -> float:
    """Return a bound on ‖Δy‖ of successive edits: the sum, each computed on the network it edits.

    Raises ValueError unless all hold for the same inputs.
    """
    assumptions = {certificate.assumption for certificate in certificates}
    if len(assumptions) > 1:
        raise ValueError(
            f"certificates must hold for the same inputs to add, got {sorted(assumptions)}; "
            "compute each with the same inputs or radius"
        )
    return sum(certificate.bound for certificate in certificates) * UP


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
        radius = min(a_priori_radius(net.profile, float(layer.q)), allowed)
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
    return net.profile.Lambda_q(float(net.layers[space - 1].q))


def times(a: float, b: float) -> float:
    """Return a b, and 0 where a factor is 0, whatever the other: 0 · ∞ = 0."""
    return 0.0 if a == 0 or b == 0 else a * b
