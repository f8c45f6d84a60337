"""Frozen cases against the oracle: what it says of the same inputs again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import get_context
from typing import Any

import numpy as np

from isoref.conformance.oracle.gauges import Answered, answered
from isoref.conformance.oracle.problem import Problem
from isoref.conformance.vectors import Case

NDArray = np.ndarray[Any, Any]

SAME = 1e-3
"""Relative, of gauges: they have 12 bits, and the deviates depend on logarithms to the last bit."""


def problem(case: Case) -> Problem:
    """Return a case as the oracle takes it."""
    network = case.geometry
    return Problem(
        case.check,
        case.profile.name,
        case.family,
        case.inputs,
        case.settings,
        None if network is None else tuple(network["geometry"]),
        () if network is None else tuple((s, t) for s, t in network["skips"]),
        case.flags,
        case.note,
        case.id,
    )


def misnumbered(cases: Iterable[Case]) -> Iterator[str]:
    """Yield a sentence for every id that is not the next number of its check and profile."""
    counts: dict[str, int] = {}
    for case in cases:
        name = f"{case.check}.{case.profile.name}"
        counts[name] = counts.get(name, 0) + 1
        if case.id != f"{name}.{counts[name]:03d}":
            yield f"{case.id}: the id must be {name}.{counts[name]:03d}; ids count on, and stay"


def recomputed(cases: Sequence[Case], *, jobs: int = 1) -> Iterator[tuple[Case, list[str]]]:
    """Yield every case with the sentences of `different`, evaluated by so many processes."""
    if jobs == 1:
        for case in cases:
            yield case, list(different(case))
        return
    with get_context("spawn").Pool(jobs) as pool:
        found = pool.imap(attempted, map(problem, cases), chunksize=4)
        for case, answer in zip(cases, found, strict=True):
            yield case, list(different(case, answer))


def attempted(given: Problem) -> Answered | str:
    """Return what the oracle computes, or why it cannot: settings may be missing, shapes wrong."""
    try:
        return answered(given)
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        return f"it cannot be computed: {type(error).__name__}: {error}"


def different(case: Case, found: Answered | str | None = None) -> Iterator[str]:
    """Yield a sentence for everything in which a case differs from what the oracle computes.

    `found` is what `attempted` returned, where it is known already.
    """
    given = problem(case)
    if given.features != case.features:
        yield f"features must be {list(given.features)}, got {list(case.features)}"
    found = attempted(given) if found is None else found
    if isinstance(found, str):
        yield found
        return
    if set(found.values) != set(case.expected):
        yield f"expected must have {', '.join(found.values)}, got {', '.join(case.expected)}"
        return
    for name, (value, gauges) in case.expected.items():
        if found.values[name].shape != value.shape:
            yield f"{name} must have shape {found.values[name].shape}, got {value.shape}"
            continue
        wrong = found.values[name] != value
        if wrong.any():
            k = np.unravel_index(int(np.argmax(wrong)), value.shape)
            place, numbers = [int(j) for j in k], (found.values[name][k], value[k])
            want, got = (float(number).hex() for number in numbers)
            yield f"{name}{place} is {want}, got {got}"
        yield from _gauges(name, found.gauges[name], gauges)
    yield from _gauges("reach", np.array(found.reach), np.array(case.reach))


def _gauges(name: str, want: NDArray, got: NDArray) -> Iterator[str]:
    with np.errstate(invalid="ignore"):
        near = (want == got) | (np.abs(want - got) <= SAME * np.abs(want))
    if not near.all():
        k = np.unravel_index(int(np.argmax(~near)), want.shape)
        yield f"the gauge {name}{[int(j) for j in k]} is {want[k]:.4g}, got {got[k]:.4g}"
