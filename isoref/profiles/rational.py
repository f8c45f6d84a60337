"""The profiles that are rational functions: softsign and squash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from isoref.arrays import Array
from isoref.profiles.base import Facts, Profile
from isoref.profiles.lipschitz import supremum, up

FAR = 2.0**30
"""From here on r² stands for 1 + r² and 1 − r² for −r²: a relative error of 2^-60."""


@final
@dataclass(frozen=True, repr=False)
class Softsign(Profile):
    """σ = r/(1+r).

    γ(0) = 1 and κ(0) = −∞; κ is −inf for r < 5.56e-309. Nothing else overflows.
    """

    name = "softsign"
    facts = Facts(Lip=1.0, Lambda=up(math.sqrt(2)))

    def _sigma(self, xp: Any, r: Array) -> Array:
        return r / (1.0 + r)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        return 1.0 / (1.0 + r) / (1.0 + r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return 1.0 / (1.0 + r)

    def _delta(self, xp: Any, r: Array) -> Array:
        return -r / (1.0 + r) / (1.0 + r)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        return -1.0 / (1.0 + r) / (1.0 + r)

    def _kappa(self, xp: Any, r: Array) -> Array:
        return -1.0 / (1.0 + r) / (1.0 + r) / r

    def _Lambda_q(self, q: float) -> float:
        return supremum(self, q, turning=(), end=0.0)


@final
@dataclass(frozen=True, repr=False)
class Squash(Profile):
    """σ = r²/(1+r²), the non-linearity of capsules.

    γ(0) = 0 and κ(0) = +∞; κ is +inf for r < 5.56e-309. Nothing else overflows.
    """

    name = "squash"
    facts = Facts(Lip=up(3 * math.sqrt(3) / 8), Lambda=1.0)

    def _sigma(self, xp: Any, r: Array) -> Array:
        near = xp.clip(r, max=FAR)
        return near * near / (1.0 + near * near)

    def _sigma_prime(self, xp: Any, r: Array) -> Array:
        s = r * r
        return xp.where(r < FAR, 2.0 * r / (1.0 + s * (2.0 + s)), 2.0 / r / r / r)

    def _gamma(self, xp: Any, r: Array) -> Array:
        return xp.where(r < FAR, r / (1.0 + r * r), 1.0 / r)

    def _delta(self, xp: Any, r: Array) -> Array:
        s = r * r
        return xp.where(r < FAR, r * (1.0 - r) * (1.0 + r) / (1.0 + s * (2.0 + s)), -1.0 / r)

    def _gamma_prime(self, xp: Any, r: Array) -> Array:
        s = r * r
        return xp.where(r < FAR, (1.0 - r) * (1.0 + r) / (1.0 + s * (2.0 + s)), -1.0 / r / r)

    def _kappa(self, xp: Any, r: Array) -> Array:
        s = r * r
        return xp.where(
            r < FAR, (1.0 - r) * (1.0 + r) / (1.0 + s * (2.0 + s)) / r, -1.0 / r / r / r
        )

    def _Lambda_q(self, q: float) -> float:
        return supremum(self, q, turning=(1 / math.sqrt(3), 1.0, math.sqrt(3)), end=0.0)
