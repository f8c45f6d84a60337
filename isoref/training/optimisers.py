"""The optimisers: what each does with a gradient, and what its state can follow.

SGD              m ← μ m + ∇,  θ ← θ − η m                          commutes with the gauge (C21)
Orthogonalised   m ← μ m + ∇,  M ← M − η (m mᵀ)^{−½} m by layers    commutes, and adapts
AdamW            second moments of single entries                   no transport (C22, C32)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np

from isoref.training.optimiser import FRACTION, Condition, Entrywise, Optimiser, norm
from isoref.training.packed import Packed

NDArray = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class SGD(Entrywise):
    """Gradient descent with momentum, Nesterov's too, and weight decay.

        m ← μ m + ∇ + λ θ          θ ← θ − η m                       coupled decay
        m ← μ m + ∇                θ ← (1 − η λ) θ − η m             decoupled
        nesterov: ∇ + λ θ + μ m, with the new m, in place of m in the second formula

    Parameters
    ----------
    momentum : float
        0 ≤ μ < 1.
    nesterov, decoupled : bool
        As above.

    Notes
    -----
    Laws (C21): rotations, growing and dropping carry the state exactly, and training commutes with
    rotations.

    Examples
    --------
    >>> from isoref import Network, Tangent
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> rule = SGD(rate=0.1)
    >>> moved, state = rule.step(net, rule.start(net), Tangent.zeros(net))
    >>> state.steps, bool((moved.layers[0].weight == net.layers[0].weight).all())
    (1, True)
    """

    momentum: float = 0.9
    nesterov: bool = False
    decoupled: bool = False

    moments = ("momentum",)
    commutes = True

    def _conditions(self) -> dict[str, Condition]:
        return super()._conditions() | {"momentum": FRACTION}

    def _constants(self, steps: int, rate: float, dtype: Any) -> tuple[Any, ...]:
        return tuple(map(dtype, (rate, self.momentum, self.decay, 1 - rate * self.decay)))

    def _block(
        self,
        scratch: NDArray,
        constants: tuple[Any, ...],
        point: NDArray,
        slope: NDArray,
        *moments: NDArray,
    ) -> None:
        rate, momentum, decay, shrink = constants
        (velocity,) = moments
        if self.decay and not self.decoupled:
            np.multiply(point, decay, out=scratch)
            slope += scratch
        velocity *= momentum
        velocity += slope
        if self.nesterov:
            np.multiply(velocity, momentum, out=scratch)
            scratch += slope
            scratch *= rate
        else:
            np.multiply(velocity, rate, out=scratch)
        if self.decay and self.decoupled:
            point *= shrink
        point -= scratch


@dataclass(frozen=True, kw_only=True)
class Orthogonalised(Optimiser):
    """Momentum whose singular values, layer by layer, are all made 1: the step has length η.

        m ← μ m + ∇        [W | ψ | b] ← (1 − η λ) [W | ψ | b] − η m̃        q ← q − η m_q/‖m‖_F

    m̃ is what five Newton–Schulz iterations (K. Jordan 2024) make of the layer's momentum: U p(Σ) Vᵀ
    for m = UΣVᵀ, with p(σ) between 0.68 and 1.14 for σ/‖m‖_F above 0.01 and p(0) = 0. The polar
    factor has p = 1 instead; it costs more and trains no better.

    Parameters
    ----------
    momentum : float
        0 ≤ μ < 1.
    nesterov : bool
        Orthogonalise ∇ + μ m in place of m.

    Notes
    -----
    Laws: a layer's momentum rotates on both sides, [m_W | m_ψ | m_b] → R m diag(Rᵀ, 1, 1), so that
    m̃ does too, and ‖m‖_F stays: training commutes with rotations, and every edit carries the state
    exactly. Zero rows and columns stay zero, and nothing depends on the width: training commutes
    with growing too.

    Examples
    --------
    >>> Orthogonalised(rate=0.05).commutes
    True
    """

    momentum: float = 0.9
    nesterov: bool = False

    moments = ("momentum",)
    commutes = True

    def _conditions(self) -> dict[str, Condition]:
        return super()._conditions() | {"momentum": FRACTION}

    def _advance(
        self,
        point: Packed,
        gradient: Packed,
        moments: tuple[Packed, ...],
        steps: int,
        rate: float,
    ) -> None:
        (velocity,) = moments
        dtype = point.vector.dtype.type
        velocity.vector *= dtype(self.momentum)
        velocity.vector += gradient.vector
        push = velocity
        if self.nesterov:
            gradient.vector += dtype(self.momentum) * velocity.vector
            push = gradient
        if self.decay:
            point.vector *= dtype(1 - rate * self.decay)
        for i, matrix in enumerate(push.matrices()):
            length = norm(matrix.ravel())
            if length == 0:
                continue
            point.move(i, dtype(-rate) * self.orthogonal(matrix / dtype(length)))
            if i < len(point.q):
                point.q[i] -= dtype(rate / length) * push.q[i]

    def orthogonal(self, matrix: NDArray) -> NDArray:
        """Return U p(Σ) Vᵀ for a matrix UΣVᵀ of norm 1: five times X ← a X + (b A + c A²) X.

        A = X Xᵀ. The coefficients are K. Jordan's, chosen to lift small singular values fast, not
        to converge to 1: https://kellerjordan.github.io/posts/muon/.
        """
        a, b, c = (matrix.dtype.type(v) for v in (3.4445, -4.7750, 2.0315))
        tall = matrix.shape[0] > matrix.shape[1]
        x = matrix.T if tall else matrix
        for _ in range(5):
            gram = x @ x.T
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        return x.T if tall else x


@dataclass(frozen=True, kw_only=True)
class AdamW(Entrywise):
    """Adam with decoupled weight decay (I. Loshchilov and F. Hutter 2019).

        m ← β₁ m + ∇       v ← β₂ v + ∇²       s = t-th step
        θ ← (1 − η λ) θ − η m̂/(√v̂ + ε),   m̂ = m (1−β₁)/(1−β₁ˢ),   v̂ = v (1−β₂)/(1−β₂ˢ)

    The moments are the discounted sums themselves, 1/(1−β) times the usual averages.

    Parameters
    ----------
    beta1, beta2 : float
        0 ≤ β < 1.
    eps : float
        ε > 0.

    Notes
    -----
    Laws: growing and dropping carry the state exactly; no rotation does but signed permutations
    (C22, C32), and training does not commute with rotations. `transport` refuses, or approximates
    by v → (R∘R) v where asked to.

    Examples
    --------
    >>> AdamW(rate=1e-3).moments
    ('first', 'second')
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    moments = ("first", "second")
    squares = frozenset({"second"})
    commutes = False

    def _conditions(self) -> dict[str, Condition]:
        positive: Condition = (lambda v: 0 < v < inf, "a positive number")
        return super()._conditions() | {"beta1": FRACTION, "beta2": FRACTION, "eps": positive}

    def _constants(self, steps: int, rate: float, dtype: Any) -> tuple[Any, ...]:
        first = (1 - self.beta1) / (1 - self.beta1**steps)
        # θ moves by η m̂/(√v̂ + ε) = (η first/second) m/(√v + ε/second).
        second = sqrt((1 - self.beta2) / (1 - self.beta2**steps))
        values = (self.beta1, self.beta2, rate * first / second, self.eps / second)
        return tuple(map(dtype, (*values, 1 - rate * self.decay)))

    def _block(
        self,
        scratch: NDArray,
        constants: tuple[Any, ...],
        point: NDArray,
        slope: NDArray,
        *moments: NDArray,
    ) -> None:
        beta1, beta2, rate, eps, shrink = constants
        first, second = moments
        first *= beta1
        first += slope
        second *= beta2
        slope *= slope
        second += slope
        np.sqrt(second, out=scratch)
        scratch += eps
        np.divide(first, scratch, out=scratch)
        scratch *= rate
        if self.decay:
            point *= shrink
        point -= scratch
