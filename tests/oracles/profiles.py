"""The profiles from their definitions, in mpmath, with 50 digits left after cancellation.

σ and σ′ are written down; γ = σ/r, δ = σ′ − γ, γ′ = δ/r and κ = γ′/r are computed as they are
defined. δ loses at most 2|log10 r| digits, for silu and gelu also those of e^−r and e^{−r²/2}; as
many are added to 50.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp

Number = Any
"""An mpmath number."""

QUANTITIES = ("sigma", "sigma_prime", "gamma", "delta", "gamma_prime", "kappa")

Pair = Callable[[Number], tuple[Number, Number]]

VANISHED = 2000
"""e^−VANISHED times the largest double is far below the smallest one: a larger exponent is not
worth its time, nor are digits for it."""


def _tanh(r: Number) -> tuple[Number, Number]:
    near = min(r, VANISHED)
    return mp.tanh(near), mp.sech(near) ** 2


def _atan(r: Number) -> tuple[Number, Number]:
    return mp.atan(r), 1 / (1 + r**2)


def _log1p(r: Number) -> tuple[Number, Number]:
    return mp.log(1 + r), 1 / (1 + r)


def _softsign(r: Number) -> tuple[Number, Number]:
    return r / (1 + r), 1 / (1 + r) ** 2


def _squash(r: Number) -> tuple[Number, Number]:
    return r**2 / (1 + r**2), 2 * r / (1 + r**2) ** 2


def _silu(r: Number) -> tuple[Number, Number]:
    e = mp.exp(-min(r, VANISHED))
    return r / (1 + e), (1 + e + r * e) / (1 + e) ** 2


def _gelu(r: Number) -> tuple[Number, Number]:
    near = min(r, mp.sqrt(2 * VANISHED))
    with mp.workdps(60):  # Φ ≥ ½ cancels from δ whatever its digits: 60 of them are enough
        distribution = 1 - mp.erfc(near / mp.sqrt(2)) / 2
    density = mp.exp(-(near**2) / 2) / mp.sqrt(2 * mp.pi)
    return r * distribution, distribution + r * density


def _identity(r: Number) -> tuple[Number, Number]:
    return r, mp.mpf(1)


def _unit(r: Number) -> tuple[Number, Number]:
    return mp.mpf(1), mp.mpf(0)


def relu_pair(tau: float) -> Pair:
    """Return (σ, σ′) of relu(τ), σ′(τ) = 0."""

    def pair(r: Number) -> tuple[Number, Number]:
        return (r - tau, mp.mpf(1)) if r > tau else (mp.mpf(0), mp.mpf(0))

    return pair


PAIRS: dict[str, Pair] = {
    "tanh": _tanh,
    "atan": _atan,
    "log1p": _log1p,
    "softsign": _softsign,
    "squash": _squash,
    "silu": _silu,
    "gelu": _gelu,
    "relu(tau=0.5)": relu_pair(0.5),
    "identity": _identity,
    "unit": _unit,
}


def definition(name: str) -> Pair:
    """Return (σ, σ′) by name, relu with any τ."""
    if name.startswith("relu"):
        return relu_pair(float(name.removeprefix("relu(tau=").removesuffix(")")))
    return PAIRS[name]


def limits(name: str) -> tuple[Number, ...]:
    """Return the limits of the six quantities as r falls to 0."""
    peak = 1 / mp.sqrt(2 * mp.pi)
    return {
        "tanh": (0, 1, 1, 0, 0, mp.mpf(-2) / 3),
        "atan": (0, 1, 1, 0, 0, mp.mpf(-2) / 3),
        "log1p": (0, 1, 1, 0, -0.5, -math.inf),
        "softsign": (0, 1, 1, 0, -1, -math.inf),
        "squash": (0, 0, 0, 0, 1, math.inf),
        "silu": (0, 0.5, 0.5, 0, 0.25, math.inf),
        "gelu": (0, 0.5, 0.5, 0, peak, math.inf),
        "relu(tau=0.5)": (0, 0, 0, 0, 0, 0),
        "identity": (0, 1, 1, 0, 0, 0),
        "unit": (1, 0, math.inf, -math.inf, -math.inf, -math.inf),
    }[name]


def exact(name: str, r: float) -> tuple[Number, ...]:
    """Return the six quantities at r ≥ 0, in the order of QUANTITIES."""
    if r == 0:
        with mp.workdps(50):
            return tuple(mp.mpf(value) for value in limits(name))
    digits = 50 + math.ceil(2 * abs(math.log10(r)))
    if name == "silu":
        digits += math.ceil(min(r, VANISHED) * math.log10(math.e))
    if name == "gelu":
        digits += math.ceil(min(min(r, VANISHED) ** 2 / 2, VANISHED) * math.log10(math.e))
    with mp.workdps(digits):
        radius = mp.mpf(r)
        sigma, sigma_prime = definition(name)(radius)
        gamma = sigma / radius
        delta = sigma_prime - gamma
        gamma_prime = delta / radius
        return sigma, sigma_prime, gamma, delta, gamma_prime, gamma_prime / radius


def split(value: Number) -> tuple[float, float]:
    """Return the double nearest to `value`, and what is left of `value` in ulps of that double.

    The ulp is that of the subnormals, 2^-1074, below 2^-1022; an overflow gives (±inf, 0).
    """
    if mp.isinf(value):
        return float(value), 0.0
    sign, mantissa, exponent, bits = value._mpf_
    if mantissa == 0:
        return 0.0, 0.0
    last = max(exponent + bits - 53, -1074)
    if exponent >= last:
        digits, rest = mantissa << (exponent - last), 0.0
    else:
        shift = last - exponent
        digits = mantissa >> shift
        rest = (mantissa - (digits << shift)) / (1 << shift)
        if rest > 0.5 or (rest == 0.5 and digits % 2):
            digits, rest = digits + 1, rest - 1.0
        if digits == 2**53:
            rest /= 2
    direction = -1.0 if sign else 1.0
    if digits.bit_length() + last > 1024:
        return direction * math.inf, 0.0
    return direction * math.ldexp(digits, last), direction * rest


def expected(name: str, radii: Any) -> tuple[Any, Any]:
    """Return `split` of the six quantities at all radii: two arrays (6, len(radii))."""
    values = [[split(value) for value in exact(name, float(r))] for r in radii]
    pairs = np.array(values, dtype=np.float64).reshape(len(radii), len(QUANTITIES), 2)
    return pairs[..., 0].T, pairs[..., 1].T


def ulps(got: Any, hi: Any, rest: Any) -> Any:
    """Return the error of float64 or float32 `got` in ulps of the correctly rounded result.

    It is infinite where just one of `got` and the rounded result is finite.
    """
    with np.errstate(over="ignore"):
        rounded = hi.astype(got.dtype)
    finite = np.isfinite(got) & np.isfinite(rounded)
    distance = np.where(finite, got.astype(np.float64), 0.0) - np.where(finite, hi, 0.0)
    unit = ulp(np.where(finite, rounded, 0.0))
    error = np.abs(distance / unit - rest * (ulp(np.where(finite, hi, 0.0)) / unit))
    return np.where(finite, error, np.where(got == rounded, 0.0, math.inf))


def ulp(values: Any) -> Any:
    """Return the ulp of each of an array of finite numbers, as float64."""
    limits = np.finfo(values.dtype)
    exponent = np.maximum(np.frexp(values)[1] - 1, limits.minexp)
    return np.ldexp(1.0, np.where(values == 0, limits.minexp, exponent) - limits.nmant)
