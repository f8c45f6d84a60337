"""C36. With one hidden space {y > 0} or {y < 0} is convex at every width: tanh, atan, softsign.

L = 1, one output y: ℝ^{n_0} → ℝ, any width n ≥ 1, any parameters, q ≥ 0 and ψ. Profiles: tanh, atan
and softsign. The inputs with y > 0 are a convex set if the output bias b is ≤ 0, those with y < 0
if b ≥ 0.

Argument.
1. y is a gain times an affine function, plus b. With a = W x + c, r = √(‖a‖² + q) and g = γ(r),
   y = w·(g a) + g ψ + b = γ(r) ℓ(x) + b,        ℓ(x) = w·(W x + c) + ψ.
2. γ > 0, because σ > 0 for r > 0 and γ(0) = 1. With p(r) = 1/γ(r) = r/σ(r), p(0) = 1, y has the
   sign of ℓ + b p(r).
3. p is convex on [0, ∞). By the quotient rule p″ = (−r σ″ σ − 2σ′(σ − r σ′))/σ³, and
   tanh:      σ″ = −2σσ′,  σ′ = 1 − σ²:       p″ = 2σ′(r − σ)/σ³;
   atan:      σ″ = −2rσ′², σ′ = 1/(1 + r²):   p″ = 2σ′²(r − σ)/σ³;
   softsign:  p = 1 + r:                      p″ = 0.
   r − σ is 0 at r = 0 and has the derivative 1 − σ′ = tanh² r or r²/(1 + r²), so that r ≥ σ and
   p″ ≥ 0 for r > 0; p is continuous at 0.
4. p does not decrease: p′ = (σ − r σ′)/σ², and σ − r σ′ is 0 at r = 0 and has the derivative
   −r σ″, which is 2rσσ′, 2r²σ′² and 2rσ′/(1 + r) ≥ 0.
5. x ↦ r = ‖(W x + c, √q)‖ is convex, a norm of an affine function (triangle inequality). A convex
   function that does not decrease, of a convex one, is convex: x ↦ p(r(x)) is convex.
6. If b ≤ 0, then ℓ + b p(r) is concave, and {y > 0} = {ℓ + b p(r) > 0} is convex: on a segment a
   concave function is at least the smaller of its values at the ends. If b ≥ 0, then ℓ + b p(r) is
   convex, and {y < 0} is convex likewise.

Edge cases. b = 0: both are half-spaces, or all or nothing. Of more outputs each has such a side.
The width enters nowhere. For log1p step 3 fails: r/log(1 + r) is concave.
"""

from __future__ import annotations

from typing import Any

import sympy

from isoref import forward, trace
from isoref.profiles import atan, log1p, softsign, tanh
from proofs.claim import Claim, Lemma, Sabotage
from proofs.shipped import network, same
from proofs.symbols import array, symbols

r = sympy.Symbol("r", positive=True)


def output_is_gain_times_affine(*, with_psi: int = 1) -> bool:
    """On symbols of widths 2–2–1 with an undefined σ the shipped forward is y = γ(r) ℓ(x) + b."""
    net, x = network(2, 2, 1), symbols("x", 1, 2)
    below, above = net.layers
    ell = (x @ below.weight.T + below.bias) @ above.weight.T + with_psi * above.psi
    return same(forward(net, x), trace(net, x).states[1].g * ell + above.bias)


def tanh_has_this_curvature(*, profile: Any = tanh) -> bool:
    """For tanh σ″ = −2σσ′ and (r/σ)″ σ³ = 2σ′(r − σ)."""
    sigma, slope, bend = _derivatives(profile)
    return _zero(bend + 2 * sigma * slope) and _zero(_curvature(sigma) - 2 * slope * (r - sigma))


def atan_has_this_curvature(*, profile: Any = atan) -> bool:
    """For atan σ″ = −2rσ′² and (r/σ)″ σ³ = 2σ′²(r − σ)."""
    sigma, slope, bend = _derivatives(profile)
    return _zero(bend + 2 * r * slope**2) and _zero(_curvature(sigma) - 2 * slope**2 * (r - sigma))


def softsign_has_none(*, profile: Any = softsign) -> bool:
    """For softsign σ″ = −2σ′/(1 + r) and (r/σ)″ = 0."""
    sigma, slope, bend = _derivatives(profile)
    return _zero(bend + 2 * slope / (1 + r)) and _zero(_curvature(sigma))


def profiles_stay_below_the_identity(*, bound: Any = r) -> bool:
    """For tanh and atan r − σ is 0 at 0 and has the derivative tanh² r, r²/(1 + r²)."""
    found = ((tanh, sympy.tanh(r) ** 2), (atan, r**2 / (1 + r**2)))
    return all(
        (bound - _sigma(profile)).subs(r, 0) == 0
        and _zero(sympy.diff(bound - _sigma(profile), r) - square)
        for profile, square in found
    )


def inverse_gain_does_not_decrease(*, power: int = 1) -> bool:
    """(r/σ)′ σ² = σ − rσ′, which is 0 at 0 and has the derivative −rσ″: tanh, atan and softsign."""
    for profile in (tanh, atan, softsign):
        sigma, slope, bend = _derivatives(profile)
        rest = sigma - r**power * slope
        quotient = sympy.diff(r / sigma, r) * sigma**2 - rest
        growth = sympy.diff(rest, r) + r * bend
        if not (_zero(quotient) and _zero(growth) and rest.subs(r, 0) == 0):
            return False
    return True


def _sigma(profile: Any) -> Any:
    """Return the shipped σ at the symbol r."""
    return profile.sigma(array(r)).item()


def _derivatives(profile: Any) -> tuple[Any, Any, Any]:
    """Return the shipped σ and its derivatives σ′ and σ″."""
    sigma = _sigma(profile)
    return sigma, sympy.diff(sigma, r), sympy.diff(sigma, r, 2)


def _curvature(sigma: Any) -> Any:
    """Return (r/σ)″ σ³."""
    return sympy.diff(r / sigma, r, 2) * sigma**3


def _zero(expression: Any) -> bool:
    """Decide whether a rational function of r and of tanh r, atan r or log(1 + r) is 0."""
    return bool(sympy.cancel(sympy.together(expression)) == 0)


CLAIM = Claim(
    id="C36",
    statement="L = 1: {y > 0} or {y < 0} is convex at any width, for tanh, atan and softsign",
    verdict="proved",
    method="residual",
    said="isoref",
    lemmas=(
        Lemma("residual", output_is_gain_times_affine),
        Lemma("residual", tanh_has_this_curvature),
        Lemma("residual", atan_has_this_curvature),
        Lemma("residual", softsign_has_none),
        Lemma("residual", profiles_stay_below_the_identity),
        Lemma("residual", inverse_gain_does_not_decrease),
    ),
    sabotages=(
        Sabotage("ψ forgotten", output_is_gain_times_affine, with_psi=0),
        Sabotage("log1p for tanh", tanh_has_this_curvature, profile=log1p),
        Sabotage("tanh for atan", atan_has_this_curvature, profile=tanh),
        Sabotage("log1p for softsign", softsign_has_none, profile=log1p),
        Sabotage("2r for r", profiles_stay_below_the_identity, bound=2 * r),
        Sabotage("r² for r", inverse_gain_does_not_decrease, power=2),
    ),
)
