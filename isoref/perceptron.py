r"""One generalised isotropic perceptron: forward, JVP and VJP side by side.

    a  = W h + b + g ψ                   affine            g is the gain that produced h
    r  = sqrt(‖a‖² + q),  u = a / r      radius            u = 0 where r = 0
    g⁺ = γ(r),  h⁺ = σ(r) u = g⁺ a       activation

Rows are samples; neurons lie on axis 1; r and g keep that axis with length 1. Formulas and
subgradients are those of section 3 of the specification (claims C04 and C05).
"""

from __future__ import annotations

from math import isinf
from typing import Any, NamedTuple

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.layer import Layer
from isoref.profiles import Profile
from isoref.structure import apply, outer, pull


class State(NamedTuple):
    """A batch in one space: h (B, n) and, in hidden spaces, g and r (B, 1) and u = a/r (B, n)."""

    h: Array
    g: Array | None = None
    r: Array | None = None
    u: Array | None = None


# The affine part: a = W h + b + g ψ


def affine(layer: Layer, h: Array, g: Array | None) -> Array:
    """Return a = W h + b + g ψ, shape (B, n_out)."""
    a = apply(layer.weight, h)
    a += layer.bias
    if g is not None:
        a += g * layer.psi
    return a


def affine_jvp(
    layer: Layer, h: Array, g: Array | None, dot: Layer, h_dot: Array, g_dot: Array | None
) -> Array:
    """Return ȧ = Ẇh + Wḣ + ḃ + ġψ + gψ̇."""
    a_dot = apply(dot.weight, h) + apply(layer.weight, h_dot) + dot.bias
    if g is None or g_dot is None:
        return a_dot
    return a_dot + g_dot * layer.psi + g * dot.psi


def affine_vjp(
    layer: Layer, h: Array, g: Array | None, abar: Array
) -> tuple[dict[str, Array], Array, Array | None]:
    """Return W̄ = āᵀh, b̄ = Σ ā, ψ̄ = Σ g ā by name, then h̄ = ā W and ḡ = ā·ψ."""
    xp = arrays.namespace(h, abar)
    layer_bar = {"weight": outer(layer.weight, abar, h), "bias": xp.sum(abar, axis=0)}
    hbar = pull(layer.weight, abar)
    if g is None:
        return layer_bar, hbar, None
    layer_bar["psi"] = (g.T @ abar)[0, :]
    return layer_bar, hbar, (abar @ layer.psi)[:, None]


# The isotropic part: a ↦ (h⁺, g⁺)


def activation(profile: Profile, a: Array, q: Array) -> State:
    """Return h⁺ = σ(r) u and g⁺ = γ(r), with the r and u that the derivatives need.

    Raises ValueError at a zero vector if q = 0 and the profile is `unit`, which has no value there.
    """
    xp = arrays.namespace(a, q)
    r, u = _polar_numpy(a, q) if xp is np else polar(xp, a, q)
    if isinf(profile.Lip) and bool(xp.any(r == 0)):
        raise ValueError(
            f"the profile {profile.name} has no value at a zero vector with q = 0; "
            "give the space an intrinsic length q > 0 or remove the zero vectors"
        )
    return State(profile.sigma(r) * u, profile.gamma(r), r, u)


def polar(xp: Any, a: Array, q: Array) -> tuple[Array, Array]:
    """Return r = sqrt(‖a‖² + q) and u = a/r; no square overflows or underflows.

    All lengths are divided by the largest among them, m, so that the sum lies between 1 and n + 1.
    """
    o = xp.sqrt(q)
    m = xp.maximum(xp.max(xp.abs(a), axis=1, keepdims=True), o)
    m = xp.where(m == 0, xp.ones_like(m), m)
    a = a / m
    length = xp.sqrt(xp.sum(a * a, axis=1, keepdims=True) + (o / m) ** 2)
    return m * length, a / xp.where(length == 0, xp.ones_like(length), length)


def _polar_numpy(a: Array, q: Array) -> tuple[Array, Array]:
    """Do as `polar`, in two passes over a where no square leaves the middle of the range."""
    limits = np.finfo(a.dtype)
    with arrays.quiet():
        square = np.vecdot(a, a)[:, None] + q
        safe = (square > limits.tiny / limits.eps**4) & (square < limits.max * limits.eps)
        r = np.sqrt(square)
        u = a / r
    if not safe.all():
        rows = ~safe[:, 0]
        r[rows], u[rows] = polar(np, a[rows], q)
    return r, u


def activation_jvp(
    profile: Profile, state: State, a_dot: Array, q_dot: Array
) -> tuple[Array, Array]:
    """Return ḣ⁺ = γ ȧ + (δ u·ȧ + γ′ q̇/2) u and ġ⁺ = γ′ u·ȧ + κ q̇/2."""
    _, gamma, r, u = state
    xp = arrays.namespace(a_dot, r)
    radial = xp.sum(u * a_dot, axis=1, keepdims=True)
    half = q_dot * 0.5
    gamma_prime = profile.gamma_prime(r)
    h_dot = gamma * a_dot + (profile.delta(r) * radial + _times(xp, gamma_prime, half)) * u
    return h_dot, _times(xp, gamma_prime, radial) + _kappa_times(xp, profile, r, half)


def activation_vjp(profile: Profile, state: State, hbar: Array, gbar: Array) -> tuple[Array, Array]:
    """Return ā = γ h̄⁺ + (δ u·h̄⁺ + γ′ ḡ⁺) u and, per row, q̄ = ½ (γ′ u·h̄⁺ + κ ḡ⁺)."""
    _, gamma, r, u = state
    xp = arrays.namespace(hbar, r)
    radial = xp.sum(u * hbar, axis=1, keepdims=True)
    gamma_prime = profile.gamma_prime(r)
    abar = gamma * hbar + (profile.delta(r) * radial + _times(xp, gamma_prime, gbar)) * u
    return abar, 0.5 * (_times(xp, gamma_prime, radial) + _kappa_times(xp, profile, r, gbar))


def _times(xp: Any, slope: Array, factor: Array) -> Array:
    """Return slope · factor, 0 where factor is 0 even if the slope overflows (section 3)."""
    return xp.where(factor == 0, xp.zeros_like(slope), slope) * factor


def _kappa_times(xp: Any, profile: Profile, r: Array, factor: Array) -> Array:
    """Return κ(r) · factor, 0 where factor is 0 and where κ is infinite at r = 0 (section 3)."""
    kappa = profile.kappa(r)
    absent = (factor == 0) | ((r == 0) & xp.isinf(kappa))
    return xp.where(absent, xp.zeros_like(kappa), kappa) * factor
