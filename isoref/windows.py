r"""Images as rows: a convolution is a dense layer on windows, and everything else stays as it is.

A batch of images (B, n, *image) is kept as rows (B·positions, n), one for each position of each
sample, so that neurons lie on axis 1 as they do without images. Between two layers stands a linear
map of rows that no rotation of the neurons touches:

    windows(h)   rows (B·out, taps·n): the window of each output position, zeros beyond the image
    folded(v)    its adjoint:  ⟨windows(h), v⟩ == ⟨h, folded(v)⟩

after an average over blocks of positions where the layer pools. Both gather whole rows, without a
loop over positions; on NumPy arrays they copy through a strided view instead, some samples at a
time, which gives the same bits. Without an image a sample is one row, and both are the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array

NDArray = np.ndarray[Any, Any]
Image = tuple[int, ...]

CACHED = 2**22
"""Bytes of windows that NumPy handles at a time: they stay in the cache from tap to tap."""


@dataclass(frozen=True)
class Geometry:
    """How one layer reads an image: pooling, then windows of a kernel.

    Attributes
    ----------
    image : tuple of int
        Extents of the image that comes.
    kernel : tuple of int
        Extents of the kernel, as many.
    stride, padding, dilation : int
        Steps between windows, rows of zeros on every side, steps between taps.
    pool : int
        Extent of the blocks that are averaged first; 0 averages the whole image.
    """

    image: Image
    kernel: Image
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    pool: int = 1

    @cached_property
    def blocks(self) -> Image:
        """Extents of the blocks that are averaged."""
        return tuple(self.pool or extent for extent in self.image)

    @cached_property
    def pooled(self) -> Image:
        """Extents of the image after pooling.

        Raises
        ------
        ValueError
            When the blocks do not fill the image.
        """
        for extent, block in zip(self.image, self.blocks, strict=True):
            if extent % block:
                raise ValueError(
                    f"pool must divide the image, {self.image}, got {self.pool}; crop or pad it"
                )
        return tuple(e // b for e, b in zip(self.image, self.blocks, strict=True))

    @cached_property
    def out(self) -> Image:
        """Extents of the image that the layer writes.

        Raises
        ------
        ValueError
            When the kernel is larger than the padded image.
        """
        found = []
        for extent, taps in zip(self.pooled, self.kernel, strict=True):
            reach = self.dilation * (taps - 1) + 1
            padded = extent + 2 * self.padding
            if reach > padded:
                raise ValueError(
                    f"the kernel {self.kernel} with dilation {self.dilation} must fit the padded "
                    f"image: it reaches over {reach} of {padded} positions; pad more, or take a "
                    "smaller kernel"
                )
            found.append((padded - reach) // self.stride + 1)
        return tuple(found)

    @property
    def taps(self) -> int:
        """Number of entries of the kernel."""
        return prod(self.kernel)

    @cached_property
    def trivial(self) -> bool:
        """Whether every window is the row itself."""
        still = self.stride == 1 and self.padding == 0 and set(self.blocks) <= {1}
        return still and self.taps == 1

    @cached_property
    def sources(self) -> NDArray:
        """Position that each tap of each output position reads, (out, taps); −1 for none."""
        axes = []
        for extent, taps, out in zip(self.pooled, self.kernel, self.out, strict=True):
            at = self.stride * np.arange(out)[:, None] + self.dilation * np.arange(taps)
            at = at - self.padding
            axes.append(np.where((at >= 0) & (at < extent), at, -1))
        return _combined(axes, self.pooled)

    @cached_property
    def targets(self) -> NDArray:
        """Output position that each tap takes each position to, (positions, taps); −1 for none."""
        found = np.full((prod(self.pooled), self.taps), -1)
        out, tap = np.nonzero(self.sources >= 0)
        found[self.sources[out, tap], tap] = out
        return found


@lru_cache(maxsize=256)
def geometry(
    image: Image, kernel: Image, stride: int, padding: int, dilation: int, pool: int
) -> Geometry:
    """Return a `Geometry`, the same one for the same arguments: its tables are made once."""
    return Geometry(image, kernel, stride, padding, dilation, pool)


def extents(x: Array) -> Image:
    """Return the extents of the images of a batch (B, n, *image)."""
    return tuple(int(extent) for extent in x.shape[2:])


def rows_of(x: Array) -> Array:
    """Return images (B, n, *image) as rows (B·positions, n); (B, n) as it is."""
    if x.ndim == 2:
        return x
    xp, (batch, n, *image) = arrays.namespace(x), x.shape
    last = xp.permute_dims(x, (0, *range(2, x.ndim), 1))
    return xp.reshape(last, (batch * prod(image), n))


def images_of(rows: Array, image: Image) -> Array:
    """Return rows (B·positions, n) as images (B, n, *image); as they are without an image."""
    if not image:
        return rows
    xp = arrays.namespace(rows)
    batch = rows.shape[0] // prod(image)
    last = xp.reshape(rows, (batch, *image, rows.shape[1]))
    return xp.permute_dims(last, (0, last.ndim - 1, *range(1, last.ndim - 1)))


def windows(at: Geometry, rows: Array) -> Array:
    """Return the windows (B·out, taps·n) of rows (B·positions, n)."""
    if at.trivial:
        return rows
    xp, pooled = arrays.namespace(rows), _pooled(at, rows)
    return _copied(at, pooled) if xp is np else _gathered(at, pooled)


def _gathered(at: Geometry, pooled: Array) -> Array:
    """Return the windows of pooled rows in any library: rows, and zeros, at the tabled places."""
    xp, n = arrays.namespace(pooled), pooled.shape[1]
    batch = pooled.shape[0] // prod(at.pooled)
    padded = xp.concat([pooled, _nothing(pooled)], axis=0)
    found = arrays.take(padded, _everywhere(at.sources, batch, prod(at.pooled)))
    return xp.reshape(found, (batch * prod(at.out), at.taps * n))


def folded(at: Geometry, found: Array) -> Array:
    """Return the adjoint of `windows` on (B·out, taps·n): rows (B·positions, n)."""
    if at.trivial:
        return found
    xp = arrays.namespace(found)
    return _spread(at, _added(at, found) if xp is np else _summed(at, found))


def _summed(at: Geometry, found: Array) -> Array:
    """Return the pooled rows of `folded` in any library, one tap after another as in `_added`."""
    xp, n = arrays.namespace(found), found.shape[1] // at.taps
    batch = found.shape[0] // prod(at.out)
    parts = xp.reshape(found, (found.shape[0] * at.taps, n))
    padded = xp.concat([parts, _nothing(parts)], axis=0)
    outs = _everywhere(at.targets, batch, prod(at.out))
    taps = np.tile(np.arange(at.taps), len(outs) // at.taps)
    absent = outs == batch * prod(at.out)
    index = np.where(absent, parts.shape[0], outs * at.taps + taps)
    gathered = xp.reshape(arrays.take(padded, index), (len(outs) // at.taps, at.taps, n))
    total = _nothing(parts)
    for tap in range(at.taps):
        total = total + gathered[:, tap, :]
    return total


def _copied(at: Geometry, pooled: NDArray) -> NDArray:
    """Do as `_gathered`, by copies from a view of the padded images."""
    n, batch = pooled.shape[1], pooled.shape[0] // prod(at.pooled)
    images = pooled.reshape(batch, *at.pooled, n)
    found = np.empty((batch, *at.out, *at.kernel, n), pooled.dtype)
    size, room, view = _room(at, found)
    inner = room[_inside(at)]
    for start in range(0, batch, size):
        some = slice(start, start + size)
        count = len(images[some])
        inner[:count] = images[some]
        found[some] = view[:count]
    return found.reshape(batch * prod(at.out), at.taps * n)


def _added(at: Geometry, found: NDArray) -> NDArray:
    """Do as `_summed`, by additions to a view of the padded images."""
    n, batch = found.shape[1] // at.taps, found.shape[0] // prod(at.out)
    found = found.reshape(batch, *at.out, *at.kernel, n)
    images = np.empty((batch, *at.pooled, n), found.dtype)
    size, room, view = _room(at, found)
    taps = [(..., *tap, slice(None)) for tap in np.ndindex(*at.kernel)]
    for start in range(0, batch, size):
        some = slice(start, start + size)
        count = len(images[some])
        room[:] = 0
        for tap in taps:
            view[:count][tap] += found[some][tap]
        images[some] = room[_inside(at)][:count]
    return images.reshape(batch * prod(at.pooled), n)


def _room(at: Geometry, found: NDArray) -> tuple[int, NDArray, NDArray]:
    """Return how many samples are handled at a time, padded images of zeros, and their windows."""
    batch, n = len(found), found.shape[-1]
    size = max(1, CACHED * batch // max(1, found.nbytes))
    shape = [extent + 2 * at.padding for extent in at.pooled]
    room = np.zeros((min(size, batch), *shape, n), found.dtype)
    first, *steps, last = room.strides
    outs, taps = [at.stride * step for step in steps], [at.dilation * step for step in steps]
    # The last tap of the last window ends inside the padded image, by the choice of `out`.
    view = np.lib.stride_tricks.as_strided(
        room, (len(room), *at.out, *at.kernel, n), (first, *outs, *taps, last)
    )
    return size, room, view


def _inside(at: Geometry) -> tuple[slice, ...]:
    """Return where the image lies in its padding."""
    return (slice(None), *(slice(at.padding, at.padding + extent) for extent in at.pooled))


def _nothing(rows: Array) -> Array:
    """Return a row of zeros, what taps beyond the image read."""
    return arrays.like(np.zeros((1, rows.shape[1])), rows)


def _everywhere(table: NDArray, batch: int, positions: int) -> NDArray:
    """Return a table of positions for all samples, flat; one past the last where it says −1."""
    start = positions * np.arange(batch)[:, None, None]
    return np.asarray(np.where(table < 0, batch * positions, table + start).reshape(-1))


def _pooled(at: Geometry, rows: Array) -> Array:
    """Return the averages over the blocks, one row for each."""
    if set(at.blocks) <= {1}:
        return rows
    xp, n = arrays.namespace(rows), rows.shape[1]
    shape = [rows.shape[0] // prod(at.image)]
    for extent, block in zip(at.pooled, at.blocks, strict=True):
        shape += [extent, block]
    axes = tuple(range(2, len(shape), 2))
    return xp.reshape(xp.mean(xp.reshape(rows, (*shape, n)), axis=axes), (-1, n))


def _spread(at: Geometry, rows: Array) -> Array:
    """Return the adjoint of `_pooled`: every position gets its share of its block."""
    if set(at.blocks) <= {1}:
        return rows
    xp, n = arrays.namespace(rows), rows.shape[1]
    batch = rows.shape[0] // prod(at.pooled)
    grid = [range(extent) for extent in at.image]
    blocks = [[p // b for p, b in zip(at_, at.blocks, strict=True)] for at_ in product(*grid)]
    index = np.ravel_multi_index(np.array(blocks).T, at.pooled)
    share = rows / prod(at.blocks)
    spread = arrays.take(share, _everywhere(index[:, None], batch, prod(at.pooled)))
    return xp.reshape(spread, (-1, n))


def _combined(axes: list[NDArray], extents: Image) -> NDArray:
    """Return flat positions (out, taps) from one table (out, taps) an axis."""
    total = np.zeros((1, 1), np.int64)
    beyond = np.zeros((1, 1), bool)
    for table, extent in zip(axes, extents, strict=True):
        out, taps = total.shape[0] * table.shape[0], total.shape[1] * table.shape[1]
        total = total[:, None, :, None] * extent + table[None, :, None, :]
        beyond = beyond[:, None, :, None] | (table < 0)[None, :, None, :]
        total, beyond = total.reshape(out, taps), beyond.reshape(out, taps)
    return np.where(beyond, -1, total)
