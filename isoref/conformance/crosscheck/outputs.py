"""What outputs show by themselves: another order, a common factor, NaN, one range of radii."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoref.conformance.crosscheck.evidence import Cause, Evidence, by_sample, rho
from isoref.conformance.crosscheck.radial import OVERFLOW
from isoref.conformance.crosscheck.rules import NDArray, Rules, forward

MOST = 4096
"""Samples whose order is looked at."""


def rearranged(evidence: Evidence) -> Iterator[Cause]:
    """Yield causes where the right numbers stand in other places, or have a common factor."""
    y, want, bound = evidence.y, evidence.want, evidence.bound
    rows = _order(*(by_sample(v) for v in (y, want, bound)))
    if rows is not None:
        shift = np.unique((rows - np.arange(len(rows))) % len(rows))
        how = f", cyclically by {shift[0]}" if len(shift) == 1 else ""
        yield Cause(
            "samples.permuted",
            f"the samples are in another order{how}",
            "save inputs and outputs of one batch together; do not shuffle between",
            rho(y, want[rows], bound[rows]),
        )
    columns = _order(*(np.moveaxis(v, 1, 0).reshape(v.shape[1], -1) for v in (y, want, bound)))
    if columns is not None:
        yield Cause(
            "outputs.permuted",
            f"the outputs of each sample are in another order: {_listed(columns)}",
            "keep the order of the neurons in which the network file has them",
            rho(y, want[:, columns], bound[:, columns]),
        )
    seen = np.isfinite(bound) & (bound > 0)
    weights = np.where(seen, 1 / bound, 0.0)
    squares = np.sum((want * weights) ** 2)
    factor = float(np.sum(y * want * weights**2) / squares) if squares > 0 else 0.0
    if abs(factor) > 1e-6 and y.size > 1:
        yield Cause(
            "outputs.factor",
            f"the outputs are {_spelled(factor)} times the right ones",
            "compare the outputs themselves, without a scale",
            rho(y, factor * want, max(1.0, abs(factor)) * bound),
        )


def _order(got: NDArray, want: NDArray, bound: NDArray) -> NDArray | None:
    """Return the rows of `want` that those of `got` are, if every one is found once."""
    if not 1 < len(got) <= MOST:
        return None
    left = np.full(len(got), -1)
    for i, row in enumerate(got):
        far = np.max(np.abs(row - want) / bound, axis=1)
        j = int(np.argmin(np.nan_to_num(far, nan=np.inf)))
        if not far[j] <= 1:
            return None
        left[i] = i if far[i] <= 1 else j
    moved = len(np.unique(left)) == len(left) and bool((left != np.arange(len(left))).any())
    return left if moved else None


def nonfinite(evidence: Evidence) -> list[Cause]:
    """Return why outputs are NaN or infinite, as far as the radii tell."""
    bad = ~np.isfinite(by_sample(evidence.y)).all(axis=1)
    least, largest = radii(evidence)
    limits = np.finfo(np.float32 if evidence.arithmetic.store > 2.0**-53 else np.float64)
    tiny, huge = np.sqrt(float(limits.smallest_subnormal)), np.sqrt(float(limits.max))
    zero = "at r = 0 the direction counts for nothing: h = 0 and g = γ(0)"
    told = (
        ("zero.vector", least == 0, "r = 0 in a hidden space: a/‖a‖ is 0/0 there", zero),
        ("underflow", least < tiny, f"r < {tiny:.2g}: ‖a‖² underflows", OVERFLOW),
        ("overflow", largest > huge, f"r > {huge:.2g}: ‖a‖² overflows", OVERFLOW),
    )
    for name, rows, text, change in told:
        if np.array_equal(bad, rows):
            sentence = f"the samples with NaN or infinity are those with {text}"
            return [Cause(name, sentence, change, float("inf"))]
    return []


def where(evidence: Evidence) -> str:
    """Return what sets the samples that exceed their bound apart, "" if no range of radii does."""
    ratio = np.abs(evidence.y - evidence.want) / evidence.bound
    rows = by_sample(ratio).max(axis=1)
    bad = ~(rows <= 1)
    if bad.all() or not bad.any() or not evidence.net.depth:
        return ""
    least, largest = radii(evidence)
    if least[bad].max() < least[~bad].min():
        return f"only samples with a radius of at most {least[bad].max():.3g} in a space exceed it"
    if largest[bad].min() > largest[~bad].max():
        return f"only samples with a radius from {largest[bad].min():.3g} on in a space exceed it"
    return ""


def radii(evidence: Evidence) -> tuple[NDArray, NDArray]:
    """Return the least and the largest radius of every sample, over spaces and positions."""
    count = len(evidence.x)
    spaces = forward(evidence.net, evidence.x, Rules()).spaces
    least, largest = np.full(count, np.inf), np.zeros(count)
    for space in spaces:
        r = space.r.reshape(count, -1)
        least, largest = np.minimum(least, r.min(axis=1)), np.maximum(largest, r.max(axis=1))
    return least, largest


def _listed(columns: NDArray) -> str:
    names = [str(int(column)) for column in columns[:12]]
    return ", ".join(names) + (" …" if len(columns) > 12 else "")


def _spelled(factor: float) -> str:
    """Return a factor so that it does not look like 1.

    Examples
    --------
    >>> _spelled(0.5), _spelled(1 + 2e-7)
    ('0.5', '(1 + 2e-07)')
    """
    return f"{factor:.6g}" if f"{factor:.6g}" != "1" else f"(1 + {factor - 1:.3g})"
