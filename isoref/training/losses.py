"""Losses with their cotangents, and the accuracy they stand for."""

from __future__ import annotations

import numpy as np

from isoref import arrays
from isoref.arrays import Array


def cross_entropy(y: Array, labels: Array) -> tuple[Array, Array]:
    """Return the mean softmax cross-entropy of outputs y (B, n) and its cotangent ȳ (B, n).

    ȳ = (softmax(y) − onehot(labels))/B. `labels` (B,) are integers 0 … n − 1, a NumPy array;
    another one raises a ValueError or TypeError. y may be images of one position, (B, n, 1) or
    (B, n, 1, 1), and ȳ is then too; a larger image raises a ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> loss, ybar = cross_entropy(np.zeros((1, 2)), np.array([1]))
    >>> float(loss), ybar.tolist()
    (0.6931471805599453, [[0.5, -0.5]])
    """
    xp, shape = arrays.namespace(y), tuple(y.shape)
    y = _scores(y)
    _check_labels(y, labels)
    chosen = arrays.like(labels[:, None] == np.arange(y.shape[1]), y)
    shifted = y - xp.max(y, axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    total = xp.sum(exponentials, axis=1, keepdims=True)
    loss = (xp.sum(xp.log(total)) - xp.sum(shifted * chosen)) / y.shape[0]
    ybar = (exponentials / total - chosen) / y.shape[0]
    return loss, ybar if ybar.ndim == len(shape) else xp.reshape(ybar, shape)


def accuracy(y: Array, labels: Array) -> float:
    """Return the fraction of rows of y (B, n) whose largest entry is at the label.

    y may be images of one position, as for `cross_entropy`.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    y = _scores(y)
    _check_labels(y, labels)
    return float((arrays.to_numpy(y).argmax(axis=1) == labels).mean())


def _scores(y: Array) -> Array:
    """Return y (B, n) of outputs (B, n) or (B, n, 1, …)."""
    if y.ndim == 2:
        return y
    shape = tuple(y.shape)
    if y.ndim < 2 or set(shape[2:]) != {1}:
        raise ValueError(
            "y must have one entry for each sample and class, shape (B, n) or an image of one "
            f"position, got {shape}; let the last layer average the image (pool=0) or give it a "
            "kernel of the size of the image"
        )
    return arrays.namespace(y).reshape(y, shape[:2])


def _check_labels(y: Array, labels: Array) -> None:
    if labels.ndim != 1 or labels.shape[0] != y.shape[0] or labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be {y.shape[0]} integers, one per row of y, "
            f"got shape {labels.shape} of {labels.dtype}"
        )
    if y.shape[0] == 0:
        raise ValueError(
            "y must have at least one row, got none; the mean of no losses is undefined"
        )
    if labels.min() < 0 or labels.max() >= y.shape[1]:
        raise ValueError(
            f"labels must lie in 0 … {y.shape[1] - 1}, one class per output, "
            f"got {labels.min()} … {labels.max()}; give the network more outputs or fix the labels"
        )
