"""Upper bounds in floating point: rounding up, and Λ_q by branch and bound.

Λ_q = sup over r ≥ √q of √max(γ², F), F = ((1−t)γ + tσ′)² + tγ′², t = 1 − q/r² (C04). F is convex in
t and grows with γ, σ′ and |γ′|, which are ≥ 0 and monotone between the profile's turning points:
on an interval of radii that contains none, F is at most its value at one of the two ends of t,
with γ, σ′ and |γ′| at their larger ends. The intervals are halved until upper and lower bound meet.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from isoref.arrays import quiet
from isoref.profiles.base import Profile

TIGHTNESS = 1e-9
"""The largest relative distance between the returned bound and the supremum."""

Vector = np.ndarray[Any, Any]


def up(value: float, *, ulps: int = 2) -> float:
    """Return an upper bound of the positive number that `value` approximates to `ulps` ulp."""
    return value * (1 + (ulps + 1) * 2.0**-52)


def gain_bound(profile: Profile, q: float) -> float:
    """Return γ(√q) rounded up: Λ_q where no other term of its definition exceeds γ(√q)."""
    return up(float(profile.gamma(np.asarray(math.sqrt(q)))), ulps=8)


@lru_cache(maxsize=1024)
def supremum(profile: Profile, q: float, turning: tuple[float, ...], end: float) -> float:
    """Return Λ_q for q > 0, rounded up.

    `turning` are the radii where γ, σ′ or γ′ stops being monotone or jumps, `end` is the limit of
    γ and of σ′ as r → ∞ (that of γ′ is 0). The arithmetic is bounded, not ignored: t is widened
    and the result raised by more than the rounding of everything that enters them.
    """
    root = math.sqrt(q)
    start = math.nextafter(root, 0.0)
    cuts = [radius for radius in turning if radius >= start]
    # A jump is approached from above: the value at a turning point itself belongs to its left.
    left = np.array([start, *(math.nextafter(radius, math.inf) for radius in cuts)])
    right = np.array([*cuts, math.inf])
    best = ceiling = 0.0
    while left.size:
        lower, upper = _bounds(profile, root, end, left, right)
        best = max(best, float(lower.max()))
        open_ = upper > best * (1 + TIGHTNESS)
        ceiling = max(ceiling, float(upper[~open_].max(initial=0.0)))
        left, right = left[open_], right[open_]
        middle = _middle(left, right)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return up(ceiling, ulps=32)


def _bounds(
    profile: Profile, root: float, end: float, left: Vector, right: Vector
) -> tuple[Vector, Vector]:
    """Return a value of √max(γ², F) taken on each interval, and a bound it does not exceed."""
    radii = np.stack([left, right])
    with quiet():
        gamma = np.where(np.isinf(radii), end, profile.gamma(radii))
        sigma_prime = np.where(np.isinf(radii), end, profile.sigma_prime(radii))
        slope = np.where(np.isinf(radii), 0.0, np.abs(profile.gamma_prime(radii)))
    t = np.clip(1.0 - (root / radii) ** 2, 0.0, 1.0)
    lower = np.maximum(gamma, _root_F(t, gamma, sigma_prime, slope)).max(axis=0)
    gamma, sigma_prime, slope = gamma.max(axis=0), sigma_prime.max(axis=0), slope.max(axis=0)
    t = np.clip(t + np.array([[-1.0], [1.0]]) * 2.0**-49, 0.0, 1.0)
    upper = np.maximum(gamma, _root_F(t, gamma, sigma_prime, slope).max(axis=0))
    return lower, upper


def _root_F(t: Vector, gamma: Vector, sigma_prime: Vector, slope: Vector) -> Vector:
    return np.asarray(np.hypot((1.0 - t) * gamma + t * sigma_prime, np.sqrt(t) * slope))


def _middle(left: Vector, right: Vector) -> Vector:
    """Return a radius inside each interval: geometric where it is long, beyond 1 where endless."""
    arithmetic = left + (right - left) / 2
    geometric = np.sqrt(left) * np.sqrt(right)
    middle = np.where(right > 4.0 * left, geometric, arithmetic)
    return np.asarray(np.where(np.isinf(right), 2.0 * left + 1.0, middle))
