"""Loss and gradient of packed networks: what `trace` and `backward` compute, in buffers made once.

With H = (h, g, 1) and M = [W | ψ | b], and κ = γ′/r, a layer costs one matrix product each way more
than its weight gradient:

    a = M H      s = κ (a·h̄ + ḡ)      ā = γ h̄ + s a      q̄ = ½ Σ s      M̄ = ā Hᵀ      (h̄, ḡ) = Mᵀ ā

This is section 3 of the specification with u = a/r, where r is neither so small nor so large that
κ a loses digits. Other radii, structured weights, convolutions, skips and other kinds of network go
the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np

from isoref import arrays
from isoref.network import Layered, Network
from isoref.profiles import Profile
from isoref.training.kinds import module_of
from isoref.training.packed import Packed

NDArray = np.ndarray[Any, Any]

Loss = Callable[[NDArray, NDArray], tuple[Any, NDArray]]
"""(y, labels) ↦ (loss, ȳ)."""

LEAST, MOST = 1e-4, 1e6
"""Radii for which κ a keeps its digits, and no square leaves the range of float32."""


class Gradient:
    """The loss of a batch at a packed point, and its gradient written into another vector.

    Parameters
    ----------
    like : Network or Elementwise
        Kind, profile and structure of the point.
    point, slope : Packed
        Where the parameters stand, and where the gradient goes.
    loss : callable
        (y, labels) ↦ (loss, ȳ), as `cross_entropy`.
    """

    def __init__(self, like: Layered, point: Packed, slope: Packed, loss: Loss) -> None:
        self.like, self.point, self.slope, self.loss = like, point, slope, loss
        plain = all(matrix is not None for matrix in point.joined)
        self.quick = isinstance(like, Network) and plain and not like.skips
        self.passes: dict[int, _Pass] = {}

    def __call__(self, x: NDArray, labels: NDArray) -> float:
        """Write the gradient of the loss of (x, labels) into `slope`; return the loss."""
        if self.quick:
            run = self._buffers(len(x))
            with arrays.quiet():
                y = run.forward(x)
                if y is not None:
                    value, ybar = self._loss(y, labels)
                    run.backward(x, ybar)
                    return value
        return self._general(x, labels)

    def _buffers(self, batch: int) -> _Pass:
        if batch not in self.passes:
            self.passes[batch] = _Pass(self.like, self.point, self.slope, batch)
        return self.passes[batch]

    def _general(self, x: NDArray, labels: NDArray) -> float:
        if not np.isfinite(self.point.vector).all():
            return nan
        net = self.point.tree(self.like)
        module = module_of(net)
        with arrays.quiet():
            run = module.trace(net, x)
            value, ybar = self._loss(run.y, labels)
            self.slope.copy_from(module.backward(net, run, ybar)[0])
        return value

    def _loss(self, y: NDArray, labels: NDArray) -> tuple[float, NDArray]:
        """Return the loss and ȳ, after a look at what a loss of the user's own returned."""
        found = self.loss(y, labels)
        value, ybar = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        if getattr(ybar, "shape", None) != y.shape or getattr(ybar, "dtype", None) != y.dtype:
            told = type(ybar).__name__ if ybar is None else f"{ybar.dtype} of shape {ybar.shape}"
            raise TypeError(
                f"loss must return (loss, ȳ) with ȳ of shape {y.shape} and dtype {y.dtype}, as y "
                f"has, got {told}; convert ȳ with .astype(y.dtype)"
            )
        return float(value), ybar


class _Pass:
    """Forward and backward for batches of one size."""

    def __init__(self, net: Any, point: Packed, slope: Packed, batch: int) -> None:
        profile, dtype, widths = net.profile, point.vector.dtype, net.widths
        self.profile: Profile = profile
        self.depth, self.q, self.qbar = net.depth, point.q, slope.q
        self.matrices, self.slopes = list(point.matrices()), list(slope.matrices())
        hidden = widths[1:-1]
        self.a = [np.empty((batch, n), dtype) for n in hidden]
        self.scratch = [np.empty((batch, n), dtype) for n in hidden]
        self.state = [np.ones((batch, n + 2), dtype) for n in hidden]
        self.bar = [np.empty((batch, n + 1), dtype) for n in hidden]
        self.y = np.empty((batch, widths[-1]), dtype)
        # Radii and what depends on them alone in float64, as the profiles compute it.
        self.r = np.empty((net.depth, batch))
        self.gamma = np.empty((net.depth, batch))
        self.exact = dtype == np.float64

    def forward(self, x: NDArray) -> NDArray | None:
        """Return y, or None where a radius is out of the range of this way."""
        q, profile = self.q, self.profile
        previous = x
        for i in range(self.depth + 1):
            matrix = self.matrices[i]
            a = self.a[i] if i < self.depth else self.y
            if i == 0:
                np.matmul(x, matrix[:, :-1].T, out=a)
                a += matrix[:, -1]
            else:
                np.matmul(previous, matrix.T, out=a)
            if i == self.depth:
                break
            r, gamma, state = self.r[i], self.gamma[i], self.state[i]
            np.vecdot(a, a, out=r)
            r += q[i]
            np.sqrt(r, out=r)
            gamma[:] = profile._gamma(np, r)
            state[:, -2] = gamma
            np.multiply(a, state[:, -2:-1], out=state[:, :-2])
            previous = state
        if self.depth and not (self.r.min() > LEAST and self.r.max() < MOST):
            return None
        return self.y

    def backward(self, x: NDArray, ybar: NDArray) -> None:
        """Write the gradient for the cotangent ȳ of the output of the last `forward`."""
        kappa, abar = self._kappa(), ybar
        for i in range(self.depth, 0, -1):
            a, bar, scratch, state = (
                part[i - 1] for part in (self.a, self.bar, self.scratch, self.state)
            )
            np.matmul(abar.T, state, out=self.slopes[i])
            np.matmul(abar, self.matrices[i][:, :-1], out=bar)
            hbar = bar[:, :-1]
            s = np.vecdot(a, hbar)
            s += bar[:, -1]
            s *= kappa[i - 1]
            self.qbar[i - 1] = 0.5 * s.sum()
            np.multiply(a, s[:, None], out=scratch)
            hbar *= state[:, -2:-1]
            scratch += hbar
            abar = scratch
        np.matmul(abar.T, x, out=self.slopes[0][:, :-1])
        np.sum(abar, axis=0, out=self.slopes[0][:, -1])

    def _kappa(self) -> NDArray:
        """Return κ of all radii, in the dtype of the network.

        For float32 the difference σ′ − γ is taken as it is where it keeps 32 of float64's 53 bits.
        """
        profile, r, gamma = self.profile, self.r, self.gamma
        if not self.exact:
            delta = profile._sigma_prime(np, r)
            delta -= gamma
            if (np.abs(delta) >= gamma * 2.0**-21).all():
                delta /= r
                delta /= r
                return np.asarray(delta, np.float32)
        return np.asarray(profile.kappa(r), self.y.dtype)
