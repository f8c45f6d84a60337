r"""Operator norms, rounded up: of a matrix, and of a layer that reads an image by windows.

A layer maps h ↦ windows(pooled(h)) Mᵀ on all positions of a sample at once, M unfolded. Pooling
averages disjoint blocks of m positions, P Pᵀ = I/m, so it contributes the factor 1/√m exactly:
‖C P‖² = ‖C P Pᵀ Cᵀ‖ = ‖C‖²/m. For the convolution C itself the smaller of two bounds is taken:

    windows       ‖C‖ ≤ √N ‖M‖                      N: windows a position stands in, at most
    frequencies   ‖C‖ ≤ max_ω ‖[Ĉ(ω + 2πj/s)]_j‖ / √S         j over the S = s^axes aliases

Windows: ‖windows(h)‖² = Σ_p N_p ‖h_p‖², because position p is copied N_p times. With kernel k,
stride s and dilation d, N_p ≤ ∏ ⌈k / (s/gcd(s, d))⌉ ≤ taps: p = s·o + d·t − padding fixes t
modulo s/gcd(s, d), and then o. N is counted, borders included.

Frequencies: with stride 1 the convolution of an image with zeros around it is a restriction of the
circular one on any torus in which what is read beyond the image meets no image and no two outputs
meet, as extents of E + min(padding, (k − 1) d) grant; outputs further out read zeros alone. The
circular one is a product with the symbol Ĉ(ω) = Σ_t C_t e^{iω·dt} at each frequency. A stride s
that divides the extents keeps one coset of the outputs, which adds the S frequencies that alias and
divides by S; with the unitary transforms on both sides the factor is 1/√S.
"""

from __future__ import annotations

from functools import reduce
from math import prod, sqrt
from typing import Any

import numpy as np

from isoref.convolution import at
from isoref.network import Layered
from isoref.windows import Geometry, Image

NDArray = np.ndarray[Any, Any]

UP = 1 + 2.0**-40
"""Factor that rounds a product of a few dozen float64 numbers up."""

WORK = 2**28
"""Multiply-adds of a factorisation at all frequencies, beyond which it is left out."""

CHUNK = 2**20
"""Entries of symbols that are held at a time."""


def operator_norm(matrix: NDArray) -> float:
    """Return the largest singular value, rounded up by the backward error of its computation.

    σ + max(m, n) u ‖A‖_F, u = 2^-53: Weyl's inequality with the backward error that LAPACK
    documents, p(m, n) u ‖A‖, for a modest p; a zero matrix has norm 0.

    Examples
    --------
    >>> bool(2 <= operator_norm(np.diag([2.0, 1.0])) < 2 + 1e-11)
    True
    """
    largest = float(np.max(np.abs(matrix), initial=0.0))
    if largest == 0:
        return 0.0
    scaled = matrix / largest
    error = max(matrix.shape) * 2.0**-53 * float(np.linalg.norm(scaled))
    return float((np.linalg.norm(scaled, 2) + error) * largest * UP)


def layer_norm(matrix: NDArray, where: Geometry) -> float:
    """Return a bound on ‖h ↦ windows(pooled(h)) Mᵀ‖ over all positions of a sample.

    Parameters
    ----------
    matrix : array of shape (n_out, taps·n)
        M unfolded, taps first, float64; any n, so that rows of [W | ψ] and of W alone will do.
    where : Geometry
        How the layer reads its image; a dense layer has a trivial one, and its norm is
        `operator_norm`.

    Returns
    -------
    float
        The smaller bound of the two above; frequencies are left out where a position stands in one
        window only, as for 1×1 kernels and kernels as large as the image, where ‖M‖ is the norm
        itself, and where they would cost more than `WORK`.

    Examples
    --------
    >>> twice = Geometry((4,), (2,))  # h_o + h_{o+1}, of norm 2 cos(π/8) on four positions
    >>> bool(2 * np.cos(np.pi / 8) <= layer_norm(np.ones((1, 2)), twice) <= 2 + 1e-11)
    True
    """
    if where.trivial:
        return operator_norm(matrix)
    copies = overlap(where)
    bound = _root(copies) * operator_norm(matrix) * UP
    if copies > 1 and _work(matrix, where) <= WORK:
        bound = min(bound, _over_frequencies(matrix, where))
    return _pooled(bound, where)


def reading_norm(where: Geometry) -> float:
    """Return ‖h ↦ windows(pooled(h))‖ = √N/√m, rounded up: what reading alone contributes.

    Examples
    --------
    >>> reading_norm(Geometry((4,), ())), reading_norm(Geometry((8, 8), (1, 1), pool=2))
    (1.0, 0.5000000000004547)
    """
    return 1.0 if where.trivial else _pooled(_root(overlap(where)), where)


def overlap(where: Geometry) -> int:
    """Return N, the largest number of windows that one position stands in.

    Examples
    --------
    >>> [overlap(Geometry((9,), (3,), stride=s)) for s in (1, 2, 3)]
    [3, 2, 1]
    """
    return int((where.targets >= 0).sum(axis=1).max())


def readings(net: Layered, image: Image = ()) -> list[Geometry]:
    """Return how each layer of a network reads images of the given extents, layer by layer.

    Parameters
    ----------
    net : Network or Tangent
    image : tuple of int
        Extents of the input images; () for dense layers.

    Raises
    ------
    ValueError
        When the extents do not fit the network: norms run over all positions, so a convolution has
        none without them.

    Examples
    --------
    >>> from isoref.network import Network
    >>> [where.out for where in readings(Network.random((2, 3, 1), seed=0))]
    [(), ()]
    """
    image = tuple(image)
    if len(image) != net.axes or any(type(e) is not int or e < 1 for e in image):
        wanted = ("()", "(length,)", "(rows, columns)")[net.axes]
        raise ValueError(
            f"image must be {wanted}, the extents of the input images, because the norm of a layer "
            f"runs over all positions, got {image}"
        )
    found: list[Geometry] = []
    for layer in net.layers:
        found.append(at(layer, found[-1].out if found else image))
    return found


def _over_frequencies(matrix: NDArray, where: Geometry) -> float:
    largest = float(np.max(np.abs(matrix), initial=0.0))
    if largest == 0:
        return 0.0
    rows, taps, aliases = len(matrix), where.taps, where.stride ** len(where.kernel)
    by_tap = (matrix / largest).reshape(rows, taps, -1).transpose(1, 0, 2)
    phases = _phases(where)
    columns = by_tap.shape[2]
    step = max(1, CHUNK // (aliases * rows * columns))
    norm = 0.0
    for start in range(0, len(phases), step):
        symbols = phases[start : start + step] @ by_tap.reshape(taps, -1)
        symbols = symbols.reshape(-1, aliases, rows, columns).transpose(0, 2, 1, 3)
        symbols = symbols.reshape(-1, rows, aliases * columns)
        norm = max(norm, float(np.linalg.norm(symbols, 2, axis=(1, 2)).max()))
    # Two phases of 12 u each, √2 for complex numbers and sums of `taps` terms, and the backward
    # error of the factorisation, all relative to Σ_t |C_t|, which every symbol is below.
    error = max(rows, aliases * columns) + 2 * taps + 48
    spread = error * 2.0**-53 * float(np.linalg.norm(np.abs(by_tap).sum(axis=0)))
    return float((norm / sqrt(aliases) + spread) * largest * UP)


def _phases(where: Geometry) -> NDArray:
    """Return e^{iω·dt}, shape (frequencies of the output, aliases, taps).

    Of the last axis half the frequencies suffice: those of real kernels come in conjugate pairs.
    """
    tables = []
    for axis, (size, taps) in enumerate(zip(_torus(where), where.kernel, strict=True)):
        out = size // where.stride
        half = out // 2 + 1 if axis == len(where.kernel) - 1 else out
        omega = np.arange(half)[:, None] + out * np.arange(where.stride)
        turns = omega[:, :, None] * where.dilation * np.arange(taps) % size  # exact
        tables.append(np.exp(2j * np.pi * np.where(2 * turns > size, turns - size, turns) / size))

    def joined(a: NDArray, b: NDArray) -> NDArray:
        product = a[:, None, :, None, :, None] * b[None, :, None, :, None, :]
        return product.reshape([x * y for x, y in zip(a.shape, b.shape, strict=True)])

    return reduce(joined, tables)


def _torus(where: Geometry) -> list[int]:
    """Return extents of a torus that holds the convolution, multiples of the stride."""
    return [
        -(-(extent + min(where.padding, (taps - 1) * where.dilation)) // where.stride)
        * where.stride
        for extent, taps in zip(where.pooled, where.kernel, strict=True)
    ]


def _work(matrix: NDArray, where: Geometry) -> int:
    aliases = where.stride ** len(where.kernel)
    rows, columns = len(matrix), aliases * matrix.shape[1] // where.taps
    frequencies = prod(_torus(where)) // aliases
    return int(frequencies * rows * columns * min(rows, columns))


def _root(count: int) -> float:
    """Return √count, rounded up; 1 exactly for 1."""
    return 1.0 if count == 1 else sqrt(count) * UP


def _pooled(norm: float, where: Geometry) -> float:
    block = prod(where.blocks)
    return norm if block == 1 else norm / sqrt(block) * UP
