"""tanh, atan and log1p: σ comes from the array library, σ′ − σ/r cancels near 0.

Near 0 the lowest quantity that stays finite is computed from a positive series, and the others are
its products with r; far away they are the quotients of σ′ − γ, divided one r at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from isoref.arrays import Array
from isoref.profiles.base import Facts, Profile
from isoref.profiles.lipschitz import gain_bound, supremum, up
from isoref.profiles.series import (
    ATAN_REACH,
    FLAT,
    LOG_REACH,
    SINH_REACH,
    atan_fraction,
    log1p_remainder,
    sinh_remainder,
)


@final
@dataclass(frozen=True, repr=False)
class Tanh(Profile):
    """σ = tanh r, the paper's profile.

    γ(0) = 1, γ′(0) = 0 and κ(0) = −2/3. Nothing overflows.
    """

    name = "tanh"
    facts = Facts(Lip=1.0, Lambda=1.0, gain_differentiable_at_zero=True)

    def _sigma(self, xp: Any, r: Array) -> Array:
        return xp.tanh(r)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        e = xp.exp(-2.0 * r)
        return 4.0 * e / (1.0 + e * (2.0 + e))

    def _gamma(self, xp: Any, r: Array) -> Array:
        return xp.where(r < FLAT, 1.0, xp.tanh(r) / r)

    def _delta(self, xp: Any, r: Array) -> Array:
        far = self._sigma_prime(xp, r) - self._gamma(xp, r)
        return xp.where(r < SINH_REACH, r * self._kappa_near(xp, r) * r, far)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        far = (self._sigma_prime(xp, r) - self._gamma(xp, r)) / r
        return xp.where(r < SINH_REACH, r * self._kappa_near(xp, r), far)

    def _kappa(self, xp: Any, r: Array) -> Array:
        far = (self._sigma_prime(xp, r) - self._gamma(xp, r)) / r / r
        return xp.where(r < SINH_REACH, self._kappa_near(xp, r), far)

    def _kappa_near(self, xp: Any, r: Array) -> Array:
        """κ = (2r − sinh 2r)/(2r³ cosh² r)."""
        return -4.0 * sinh_remainder(r) * self._sigma_prime(xp, r)

    def _Lambda_q(self, q: float) -> float:
        return gain_bound(self, q)


@final
@dataclass(frozen=True, repr=False)
class Atan(Profile):
    """σ = atan r.

    γ(0) = 1, γ′(0) = 0 and κ(0) = −2/3. Nothing overflows.
    """

    name = "atan"
    facts = Facts(Lip=1.0, Lambda=1.0, gain_differentiable_at_zero=True)

    def _sigma(self, xp: Any, r: Array) -> Array:
        return xp.atan(r)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return xp.where(r < 1.0, 1.0 / (1.0 + r * r), 1.0 / r / (r + 1.0 / r))

    def _gamma(self, xp: Any, r: Array) -> Array:
        return xp.where(r < FLAT, 1.0, xp.atan(r) / r)

    def _delta(self, xp: Any, r: Array) -> Array:
        far = self._sigma_prime(xp, r) - self._gamma(xp, r)
        return xp.where(r < ATAN_REACH, r * self._kappa_near(r) * r, far)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        far = (self._sigma_prime(xp, r) - self._gamma(xp, r)) / r
        return xp.where(r < ATAN_REACH, r * self._kappa_near(r), far)

    def _kappa(self, xp: Any, r: Array) -> Array:
        far = (self._sigma_prime(xp, r) - self._gamma(xp, r)) / r / r
        return xp.where(r < ATAN_REACH, self._kappa_near(r), far)

    def _kappa_near(self, r: Array) -> Array:
        """κ = (1/(1+r²) − 1/(1+T))/r² with atan r = r/(1+T), T = r²/(3+U)."""
        square = r * r
        u = atan_fraction(square)
        return -(2.0 + u) / ((3.0 + u + square) * (1.0 + square))

    def _Lambda_q(self, q: float) -> float:
        return gain_bound(self, q)


@final
@dataclass(frozen=True, repr=False)
class Log1p(Profile):
    """σ = log(1+r).

    γ(0) = 1, γ′(0) = −½ and κ(0) = −∞; κ is −inf for r < 2.78e-309. Nothing else overflows.
    """

    name = "log1p"
    facts = Facts(Lip=1.0, Lambda=up(math.sqrt(5) / 2))

    def _sigma(self, xp: Any, r: Array) -> Array:
        return xp.log1p(r)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return 1.0 / (1.0 + r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return xp.where(r < FLAT, 1.0, xp.log1p(r) / r)

    def _delta(self, xp: Any, r: Array) -> Array:
        far = self._sigma_prime(xp, r) - self._gamma(xp, r)
        return xp.where(r < LOG_REACH, r * self._gamma_prime_near(r), far)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        far = (self._sigma_prime(xp, r) - self._gamma(xp, r)) / r
        return xp.where(r < LOG_REACH, self._gamma_prime_near(r), far)

    def _kappa(self, xp: Any, r: Array) -> Array:
        far = (self._sigma_prime(xp, r) - self._gamma(xp, r)) / r / r
        return xp.where(r < LOG_REACH, self._gamma_prime_near(r) / r, far)

    def _gamma_prime_near(self, r: Array) -> Array:
        """γ′ = (1/(1+r) − log(1+r)/r)/r with log(1+r) = 2 atanh s, s = r/(2+r)."""
        d = 2.0 + r
        return -1.0 / ((1.0 + r) * d) - 2.0 * r / (d * d * d) * log1p_remainder(r / d)

    def _Lambda_q(self, q: float) -> float:
        return supremum(self, q, turning=(), end=0.0)
