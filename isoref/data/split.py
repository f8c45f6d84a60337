"""Random splits into training and held-out samples, and per-pixel standardisation."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

NDArray = np.ndarray[Any, Any]

_BLOCK = 2**22
"""Most values that are float64 at a time, 32 MiB, unless `_NARROWEST` pixels have more."""

_NARROWEST = 8


class Split(NamedTuple):
    """Training and held-out inputs and labels."""

    x: NDArray
    labels: NDArray
    held_x: NDArray
    held_labels: NDArray


def split(x: NDArray, labels: NDArray, *, held_out: float = 0.2, seed: int) -> Split:
    """Return a random split with the fraction `held_out` of the samples held out.

    Raises ValueError when lengths differ or when either part would be empty.

    Examples
    --------
    >>> parts = split(np.eye(10), np.arange(10), held_out=0.3, seed=0)
    >>> len(parts.x), len(parts.held_x)
    (7, 3)
    """
    if len(x) != len(labels):
        raise ValueError(f"labels must have one entry per sample, {len(x)}, got {len(labels)}")
    count = round(held_out * len(x))
    if not 0 < count < len(x):
        raise ValueError(
            f"held_out must leave samples in both parts, got {held_out} of {len(x)} samples, "
            f"which holds out {count}; choose a fraction between 0 and 1 or use more samples"
        )
    order = np.random.default_rng(seed).permutation(len(x))
    held, kept = order[:count], order[count:]
    return Split(x[kept], labels[kept], x[held], labels[held])


def standardise(parts: Split, dtype: str = "float64") -> Split:
    """Return the split with each pixel shifted and scaled to mean 0 and deviation 1.

    Mean and deviation are those of the training part; a pixel that is constant there becomes 0
    in both parts. The arithmetic is float64, in blocks of pixels, and the result is rounded to
    `dtype`: beside the split and the result it needs about 100 MiB.

    Examples
    --------
    >>> parts = standardise(split(np.arange(20.0).reshape(10, 2), np.arange(10), seed=0))
    >>> bool(abs(parts.x.mean()) < 1e-15)
    True
    """
    width = prod(parts.x.shape[1:])
    flat = [part.reshape(len(part), width) for part in (parts.x, parts.held_x)]
    done = [np.empty(part.shape, dtype) for part in flat]
    step = max(_NARROWEST, _BLOCK // max(map(len, flat), default=1))
    for start in range(0, width, step):
        here = slice(start, start + step)
        block = flat[0][:, here].astype(np.float64)
        mean, deviation = block.mean(axis=0), block.std(axis=0)
        # Equal numbers may have a rounded mean beside them, and so a tiny deviation.
        varies = (deviation > 0) & (block.max(axis=0) > block.min(axis=0))
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
        done[0][:, here] = (block - mean) * scale
        done[1][:, here] = (flat[1][:, here] - mean) * scale
    return parts._replace(
        x=done[0].reshape(parts.x.shape), held_x=done[1].reshape(parts.held_x.shape)
    )
