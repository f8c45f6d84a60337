"""The definition once more, naive and independent of everything that it judges.

Section 2 of the specification on dual numbers v + εv̇, ε² = 0, in NumPy's longest floating point,
which has more digits than float64 on most machines. Each profile is written out here from its name
and differentiated by the rules of dual numbers, with no derivative written by hand. A convolution
is a loop over the positions it writes and the taps of its kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoref.arrays import to_numpy
from isoref.layer import Layer
from isoref.network import Network, Tangent

NDArray = np.ndarray[Any, Any]

REAL = np.longdouble
ROUNDOFF = float(np.finfo(REAL).eps) / 2


@dataclass(frozen=True, eq=False)
class Dual:
    """A value and its derivative."""

    v: Any
    d: Any

    def __add__(self, o: Dual | float) -> Dual:
        o = _dual(o)
        return Dual(self.v + o.v, self.d + o.d)

    def __mul__(self, o: Dual | float) -> Dual:
        o = _dual(o)
        return Dual(self.v * o.v, self.v * o.d + self.d * o.v)

    def __truediv__(self, o: Dual | float) -> Dual:
        o = _dual(o)
        return Dual(self.v / o.v, (self.d - self.v / o.v * o.d) / o.v)

    def __sub__(self, o: Dual | float) -> Dual:
        return self + _dual(o) * -1.0

    def __rsub__(self, o: float) -> Dual:
        return self * -1.0 + o

    def __rtruediv__(self, o: float) -> Dual:
        return _dual(o) / self

    __radd__ = __add__
    __rmul__ = __mul__


def _dual(value: Dual | float) -> Dual:
    return value if isinstance(value, Dual) else Dual(REAL(value), REAL(0))


def _exp(z: Dual) -> Dual:
    return Dual(np.exp(z.v), np.exp(z.v) * z.d)


def _log(z: Dual) -> Dual:
    return Dual(np.log(z.v), z.d / z.v)


def _sqrt(z: Dual) -> Dual:
    root = np.sqrt(z.v)
    return Dual(root, z.d / (2 * root))


def _arctan(z: Dual) -> Dual:
    return Dual(np.arctan(z.v), z.d / (1 + z.v * z.v))


def _normal_cdf(z: Dual) -> Dual:
    """Φ = ½ + φ(z) (z + z³/3 + z⁵/15 + …), whose terms are positive, and Φ′ = φ."""
    term = total = z.v
    for k in range(1, 300):
        term = term * z.v * z.v / (2 * k + 1)
        total = total + term
    density = np.exp(-z.v * z.v / 2) / np.sqrt(2 * np.arccos(REAL(-1)))
    return Dual(REAL(0.5) + density * total, density * z.d)


def _relu_gain(z: Dual) -> Dual:
    gain = 1.0 - 0.5 / z
    return Dual(np.maximum(gain.v, 0), np.where(gain.v > 0, gain.d, 0))


GAIN: dict[str, Callable[[Dual], Dual]] = {
    "tanh": lambda z: (1.0 - _exp(z * -2.0)) / (1.0 + _exp(z * -2.0)) / z,
    "atan": lambda z: _arctan(z) / z,
    "log1p": lambda z: _log(z + 1.0) / z,
    "softsign": lambda z: 1.0 / (z + 1.0),
    "squash": lambda z: z / (z * z + 1.0),
    "silu": lambda z: 1.0 / (1.0 + _exp(z * -1.0)),
    "gelu": _normal_cdf,
    "relu(tau=0.5)": _relu_gain,
    "identity": lambda z: z * 0.0 + 1.0,
    "unit": lambda z: 1.0 / z,
}
"""γ(r) = σ(r)/r by profile name, for radii from about 0.1 to 12."""


def evaluate(net: Network, x: Any, net_dot: Tangent, x_dot: Any) -> tuple[NDArray, NDArray]:
    """Return y and its derivative ẏ along (net_dot, x_dot), both in the longest floating point."""
    gain = GAIN[net.profile.name]
    h, g = Dual(_real(x), _real(x_dot)), None
    spaces = [h]
    for layer, dot in zip(net.layers, net_dot.layers, strict=True):
        a = _correlated(layer, _entry("weight", layer, dot), h)
        a = a + _over(_entry("bias", layer, dot), h)
        if g is not None:
            psi = _entry("psi", layer, dot)
            a = a + _correlated(layer, Dual(psi.v[:, None], psi.d[:, None]), g)
        if layer.q is None:
            break
        square = a * a
        norm = Dual(square.v.sum(axis=1, keepdims=True), square.d.sum(axis=1, keepdims=True))
        r = _sqrt(norm + _entry("q", layer, dot))
        g = gain(r)
        h = g * a
        for source, target in net.skips:
            if target == len(spaces):
                h = h + spaces[source]
        spaces.append(h)
    return a.v, a.d


def _correlated(layer: Layer, w: Dual, h: Dual) -> Dual:
    """Σ_k W_k h[stride p + dilation k − padding] at every p, without terms beyond the image.

    h (B, n, *image) is averaged over the blocks of `pool` first. Without an image there are one
    position and one tap, and this is h Wᵀ.
    """
    h = Dual(_averaged(layer.pool, h.v), _averaged(layer.pool, h.d))
    image, kernel = h.v.shape[2:], w.v.shape[2:]
    out = [
        (extent + 2 * layer.padding - layer.dilation * (taps - 1) - 1) // layer.stride + 1
        for extent, taps in zip(image, kernel, strict=True)
    ]
    total = Dual(*np.zeros((2, len(h.v), len(w.v), *out), REAL))
    for p in np.ndindex(*out):
        for k in np.ndindex(*kernel):
            at = [
                layer.stride * i + layer.dilation * j - layer.padding
                for i, j in zip(p, k, strict=True)
            ]
            if all(0 <= i < extent for i, extent in zip(at, image, strict=True)):
                row, row_dot = h.v[:, :, *at], h.d[:, :, *at]
                tap, tap_dot = w.v[:, :, *k].T, w.d[:, :, *k].T
                total.v[:, :, *p] += row @ tap
                total.d[:, :, *p] += row @ tap_dot + row_dot @ tap
    return total


def _averaged(pool: int, v: NDArray) -> NDArray:
    """Average blocks of `pool` positions along each image axis, or all of them for 0."""
    for axis in range(2, v.ndim) if pool != 1 else ():
        size = pool or v.shape[axis]
        starts = range(0, v.shape[axis], size)
        blocks = [v.take(range(start, start + size), axis) for start in starts]
        v = np.stack([block.sum(axis) / size for block in blocks], axis)
    return v


def _entry(name: str, layer: Layer, dot: Layer) -> Dual:
    return Dual(_real(getattr(layer, name)), _real(getattr(dot, name)))


def _over(b: Dual, h: Dual) -> Dual:
    """Return a vector over neurons, one value for all positions."""
    shape = (-1, *(1 for _ in h.v.shape[2:]))
    return Dual(b.v.reshape(shape), b.d.reshape(shape))


def _real(value: Any) -> NDArray:
    return to_numpy(value).astype(REAL)
