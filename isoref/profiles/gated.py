"""silu and gelu: σ = r γ with γ a distribution function, so that nothing cancels.

δ = r γ′ > 0 and σ′ = γ + δ. What is delicate is γ′ ~ e^−r or e^{−r²/2} where it becomes subnormal:
a subnormal factor would lose the digits that r multiplies back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from isoref.arrays import Array
from isoref.profiles.base import Facts, Profile
from isoref.profiles.constants import GELU_LAMBDA, GELU_LIP, SILU_LAMBDA, SILU_LIP, SILU_TURNING
from isoref.profiles.lipschitz import supremum
from isoref.profiles.normal import density_factors, distribution

EXP_REACH = 700.0
"""e^−r is a normal number up to here; its square root is for every r that matters."""


@final
@dataclass(frozen=True, repr=False)
class Silu(Profile):
    """σ = r/(1+e^−r).

    γ(0) = ½ and κ(0) = +∞; κ is +inf for r < 1.39e-309. Nothing else overflows.
    """

    name = "silu"
    facts = Facts(Lip=SILU_LIP, Lambda=SILU_LAMBDA)

    def _sigma(self, xp: Any, r: Array) -> Array:
        return r / (1.0 + xp.exp(-r))

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return self._gamma(xp, r) + self._delta(xp, r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return 1.0 / (1.0 + xp.exp(-r))

    def _delta(self, xp: Any, r: Array) -> Array:
        e, h = xp.exp(-r), xp.exp(-0.5 * r)
        return xp.where(r < EXP_REACH, r * e / (1.0 + e * (2.0 + e)), r * h * h)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        e, h = xp.exp(-r), xp.exp(-0.5 * r)
        return xp.where(r < EXP_REACH, e / (1.0 + e * (2.0 + e)), h * h)

    def _kappa(self, xp: Any, r: Array) -> Array:
        return self._gamma_prime(xp, r) / r

    def _Lambda_q(self, q: float) -> float:
        return supremum(self, q, turning=(SILU_TURNING,), end=1.0)


@final
@dataclass(frozen=True, repr=False)
class Gelu(Profile):
    """σ = r Φ(r), Φ the normal distribution.

    γ(0) = ½ and κ(0) = +∞; κ is +inf for r < 2.22e-309. Nothing else overflows.
    """

    name = "gelu"
    facts = Facts(Lip=GELU_LIP, Lambda=GELU_LAMBDA)

    def _sigma(self, xp: Any, r: Array) -> Array:
        return r * distribution(xp, r)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return distribution(xp, r) + self._delta(xp, r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return distribution(xp, r)

    def _delta(self, xp: Any, r: Array) -> Array:
        a, b = density_factors(xp, r)
        return r * a * b * b

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        a, b = density_factors(xp, r)
        return a * b * b

    def _kappa(self, xp: Any, r: Array) -> Array:
        a, b = density_factors(xp, r)
        return a / r * b * b

    def _Lambda_q(self, q: float) -> float:
        return supremum(self, q, turning=(math.sqrt(2),), end=1.0)
