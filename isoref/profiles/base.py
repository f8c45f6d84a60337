"""What a profile is: six functions of the radius, a name, and the constants that bound them.

The laws, with σ the radial profile of specification, section 2:

    gamma(r) == sigma(r) / r                     the gain
    delta(r) == sigma_prime(r) - gamma(r)        the radial excess of the Jacobian
    gamma_prime(r) == delta(r) / r               the slope of the gain
    kappa(r) == gamma_prime(r) / r

They hold for the exact values: each method computes its own quantity to a few ulp over the whole
range, where the difference and the quotients on the right would cancel, underflow or divide by 0.
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from isoref.arrays import Array, namespace, precision, quiet
from isoref.profiles.rounding import rounded


@dataclass(frozen=True)
class Facts:
    """What is known about a profile besides its values; the bounds are rounded up.

    Attributes
    ----------
    Lip : float
        The supremum of |σ′|.
    Lambda : float
        The supremum over r of √max(γ², σ′² + γ′²).
    kinks : tuple of float
        The radii where σ is not differentiable.
    gain_differentiable_at_zero : bool
        Whether a ↦ γ(‖a‖) is differentiable at a = 0, that is γ′(0) = 0.
    """

    Lip: float
    Lambda: float
    kinks: tuple[float, ...] = ()
    gain_differentiable_at_zero: bool = False


@dataclass(frozen=True, repr=False)
class Profile(ABC):
    """A radial profile σ, with everything that a perceptron and its derivatives need.

    `sigma`, `sigma_prime`, `gamma`, `delta`, `gamma_prime` and `kappa` take an array of radii, of
    any shape, float64 or float32, of any supported library, and return a new array of the same
    shape, dtype, library and device. The radii are finite and ≥ 0, which is not checked; NaN gives
    NaN where the value depends on r. At r = 0 the values are the limits, which may be infinite;
    elsewhere they are ±inf where, and only where, the true value rounds to it.

    float64 results are within 4 ulp (σ, σ′, γ) and 6 ulp (δ, γ′, κ) of the true value, an ulp being
    that of the correctly rounded result and 2^-1074 below 2^-1022; float32 results, computed
    through float64, are within 1 ulp. An array of symbols goes to the formulas as it is.

    Profiles are immutable values: equal ones compare and hash equal, and they can be pickled. A new
    one subclasses `Profile` as a frozen dataclass and supplies the methods marked abstract.

    Raises
    ------
    TypeError
        When r is no array, or neither float64 nor float32.

    Notes
    -----
    Source: specification, sections 2 and 3.

    Examples
    --------
    >>> import numpy as np
    >>> from isoref.profiles import tanh
    >>> tanh.delta(np.array([1e-9, 1.0]))
    array([-6.66666667e-19, -3.41619814e-01])
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The text that `named` turns back into this profile."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """The bounds, kinks and differentiability of the profile."""

    @abstractmethod
    def _sigma(self, xp: Any, r: Array) -> Array: ...

    @abstractmethod
    def _sigma_prime(self, xp: Any, r: Array) -> Array: ...

    @abstractmethod
    def _gamma(self, xp: Any, r: Array) -> Array: ...

    @abstractmethod
    def _delta(self, xp: Any, r: Array) -> Array: ...

    @abstractmethod
    def _gamma_prime(self, xp: Any, r: Array) -> Array: ...

    @abstractmethod
    def _kappa(self, xp: Any, r: Array) -> Array: ...

    @abstractmethod
    def _Lambda_q(self, q: float) -> float:
        """`Lambda_q` for q > 0."""

    def sigma(self, r: Array) -> Array:
        """Return σ(r), the length of the output of a perceptron with q = 0."""
        return self._at(r, type(self)._sigma)

    def sigma_prime(self, r: Array) -> Array:
        """Return σ′(r); at a kink, the value that the profile documents."""
        return self._at(r, type(self)._sigma_prime)

    def gamma(self, r: Array) -> Array:
        """Return the gain γ(r) = σ(r)/r; γ(0) = σ′(0) where σ(0) = 0."""
        return self._at(r, type(self)._gamma)

    def delta(self, r: Array) -> Array:
        """Return δ(r) = σ′(r) − γ(r), what the Jacobian has along a beyond γ (C04)."""
        return self._at(r, type(self)._delta)

    def gamma_prime(self, r: Array) -> Array:
        """Return γ′(r) = δ(r)/r."""
        return self._at(r, type(self)._gamma_prime)

    def kappa(self, r: Array) -> Array:
        """Return κ(r) = γ′(r)/r; at r = 0 its limit, which is −inf or +inf for some profiles."""
        return self._at(r, type(self)._kappa)

    @property
    def Lip(self) -> float:
        """The supremum of |σ′|; if σ(0) = 0, it bounds a ↦ γ(r) a for every q (C04)."""
        return self.facts.Lip

    @property
    def Lambda(self) -> float:
        """The Lipschitz constant of a ↦ (γ(r) a, γ(r)) at q = 0, a bound for every q (C04)."""
        return self.facts.Lambda

    @property
    def kinks(self) -> tuple[float, ...]:
        """The radii where σ is not differentiable."""
        return self.facts.kinks

    @property
    def gain_differentiable_at_zero(self) -> bool:
        """Whether a ↦ γ(‖a‖) is differentiable at a = 0, that is γ′(0) = 0."""
        return self.facts.gain_differentiable_at_zero

    def Lambda_q(self, q: float) -> float:
        """Return the Lipschitz constant of a ↦ (γ(r) a, γ(r)) at a fixed q, rounded up.

        Λ_q = sup over r ≥ √q of √max(γ², F), F = ((1−t)γ + tσ′)² + tγ′² and t = 1 − q/r². The
        result is at least that and at most 1 + 1e-8 times that. Λ_0 = Λ.

        Raises
        ------
        ValueError
            When q is no finite number ≥ 0.

        Notes
        -----
        Source: specification, section 3; claim C04.

        Examples
        --------
        >>> from isoref.profiles import softsign
        >>> round(softsign.Lambda_q(0.25), 6), round(softsign.Lambda, 6)
        (0.666667, 1.414214)
        """
        if not (isinstance(q, numbers.Real) and math.isfinite(q) and q >= 0):
            raise ValueError(
                f"q must be a finite number >= 0, got {q!r}; it is the squared intrinsic length"
            )
        return self.Lambda if q == 0 else self._Lambda_q(float(q))

    def rounded(self, dtype: str) -> Self:
        """Return the profile with its parameters rounded to `dtype`, "float64" or "float32".

        `profile.sigma(r)` is `profile.rounded(dtype).sigma(r)` for r of that dtype.

        Raises
        ------
        ValueError
            When a parameter is no normal number in `dtype`.

        Examples
        --------
        >>> from isoref.profiles import relu
        >>> relu(tau=0.1).rounded("float32")
        relu(tau=0.10000000149011612)
        """
        result: Self = rounded(self, dtype)
        return result

    def _at(self, r: Array, formula: Callable[[Any, Any, Array], Array]) -> Array:
        """Return `formula(profile, xp, radii)`, its one door: float64 radii with one axis."""
        xp = namespace(r)
        dtype = precision(r, "r")
        if dtype == "exact":
            return formula(self, xp, r)
        profile = rounded(self, dtype)
        with quiet():
            radii = xp.astype(xp.reshape(r, (-1,)), xp.float64, copy=False)
            values = formula(profile, xp, radii)
            return xp.reshape(xp.astype(values, r.dtype, copy=False), r.shape)

    def __repr__(self) -> str:
        return self.name
