"""The profiles that are linear piece by piece: identity, relu and unit."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, final

from isoref.arrays import Array
from isoref.profiles.base import Facts, Profile
from isoref.profiles.lipschitz import supremum, up


@final
@dataclass(frozen=True, repr=False)
class Identity(Profile):
    """σ = r: the network is affine.

    γ(0) = 1 and κ(0) = 0. Nothing overflows.
    """

    name = "identity"
    facts = Facts(Lip=1.0, Lambda=1.0, gain_differentiable_at_zero=True)

    def _sigma(self, xp: Any, r: Array) -> Array:
        return 1.0 * r

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return xp.ones_like(r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return xp.ones_like(r)

    def _delta(self, xp: Any, r: Array) -> Array:
        return xp.zeros_like(r)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        return xp.zeros_like(r)

    def _kappa(self, xp: Any, r: Array) -> Array:
        return xp.zeros_like(r)

    def _Lambda_q(self, q: float) -> float:
        return 1.0


@final
@dataclass(frozen=True, repr=False)
class Relu(Profile):
    """σ = max(r − τ, 0) with τ > 0; σ′(τ) = 0. (τ = 0 is `identity`.)

    All six are 0 for r ≤ τ, at 0 too. γ′ ≤ 1/τ does not overflow; κ < 1/τ² can, for τ < 7.46e-155.

    Raises
    ------
    ValueError
        When τ is no positive normal number.

    Examples
    --------
    >>> import numpy as np
    >>> relu = Relu(tau=0.5)
    >>> relu.gamma(np.array([0.25, 1.0, 2.0]))
    array([0.  , 0.5 , 0.75])
    """

    tau: float

    def __post_init__(self) -> None:
        if not isinstance(self.tau, numbers.Real):
            raise ValueError(f"tau must be a number, got {self.tau!r}; for example relu(tau=0.5)")
        tau = float(self.tau)
        object.__setattr__(self, "tau", tau)
        if tau == 0:
            raise ValueError("tau must be positive, got 0; relu with tau = 0 is `identity`")
        if not 2.0**-1022 <= tau < math.inf:
            raise ValueError(
                f"tau must be a positive normal number, got {tau!r}; for example relu(tau=0.5)"
            )

    @property
    def name(self) -> str:
        """The constructor call, with τ in full."""
        return f"relu(tau={self.tau!r})"

    @property
    def facts(self) -> Facts:
        """Λ² = 1 + 1/τ² is the limit of σ′² + γ′² as r falls to τ."""
        return Facts(
            Lip=1.0,
            Lambda=up(math.hypot(1, 1 / self.tau)),
            kinks=(self.tau,),
            gain_differentiable_at_zero=True,
        )

    def _sigma(self, xp: Any, r: Array) -> Array:
        return xp.where(r <= self.tau, 0.0, r - self.tau)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return xp.where(r <= self.tau, 0.0, xp.ones_like(r))

    def _gamma(self, xp: Any, r: Array) -> Array:
        return xp.where(r <= self.tau, 0.0, (r - self.tau) / r)

    def _delta(self, xp: Any, r: Array) -> Array:
        return xp.where(r <= self.tau, 0.0, self.tau / r)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        return xp.where(r <= self.tau, 0.0, self.tau / r / r)

    def _kappa(self, xp: Any, r: Array) -> Array:
        return xp.where(r <= self.tau, 0.0, self.tau / r / r / r)

    def _Lambda_q(self, q: float) -> float:
        return supremum(self, q, turning=(self.tau,), end=1.0)


@final
@dataclass(frozen=True, repr=False)
class Unit(Profile):
    """σ = 1, hyperspherical normalisation.

    The limits at 0 are γ = +∞, δ = γ′ = κ = −∞. Overflow: γ and δ for r < 5.56e-309, γ′ for
    r < 7.46e-155, κ for r < 1.77e-103.
    """

    name = "unit"
    facts = Facts(Lip=math.inf, Lambda=math.inf)

    def _sigma(self, xp: Any, r: Array) -> Array:
        return xp.ones_like(r)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return xp.zeros_like(r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return 1.0 / r

    def _delta(self, xp: Any, r: Array) -> Array:
        return -1.0 / r

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        return -1.0 / r / r

    def _kappa(self, xp: Any, r: Array) -> Array:
        return -1.0 / r / r / r

    def _Lambda_q(self, q: float) -> float:
        if q > 1 / 3:
            return up(1 / math.sqrt(q))
        return up(2 / (3 * math.sqrt(3)) / q / (1 - q), ulps=4)
