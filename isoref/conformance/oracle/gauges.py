"""Values and gauges of a problem: one exact evaluation, and 32 perturbed ones for each cause.

A gauge is 6 rms of the response of an element to the roundings of one cause, for a roundoff of 1.
The roundoff that is injected is so small that only first order is left. Where first order says
nothing for the arithmetic of the family, because the error of a reaches r, or that of r a kink, the
gauges of the elements concerned are infinite; `reach` tells from which roundoffs on that is so for
the whole case.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from random import Random
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from isoref.conformance.oracle.activation import Active
from isoref.conformance.oracle.answers import Answer, Outcome, answer
from isoref.conformance.oracle.noise import CAUSES, TINY, Rounding
from isoref.conformance.oracle.numbers import NDArray, each, rounded, upwards
from isoref.conformance.oracle.problem import Problem
from isoref.conformance.oracle.profiles import threshold

DRAWS = 32
FACTOR = 6
SMALL = 25
"""The roundoff that is injected is 10^−25."""

UNITS = {8: (2.0**-24, 2.0**-149), 24: (2.0**-24, 2.0**-149), 53: (2.0**-53, 2.0**-1074)}
"""Roundoff and smallest number of the coarsest storage for each family."""

BY_SAMPLE = ("h", "g", "abar", "qbar", "y", "y_dot", "xbar")
"""Results whose rows depend on one sample each."""
BY_BATCH = ("gradient.", "jacobian")
"""Results that depend on all samples; what edits do to parameters depends on none."""


class Answered(NamedTuple):
    """The expected values and their gauges (4, …) by name, and the reach of the case.

    The verdict on a case is open where √((R_A u_multiply)² + …) + R_D tiny exceeds 1, R the reach.
    """

    values: Mapping[str, NDArray]
    gauges: Mapping[str, NDArray]
    reach: tuple[float, float, float, float]


def answered(problem: Problem, *, draws: int = DRAWS) -> Answered:
    """Return what a problem expects."""
    with mp.workdps(problem.digits):
        run = answer(problem)
        exact = Rounding()
        base = run(exact)
        spread = [_spread(problem, run, base, exact, cause, draws) for cause in range(len(CAUSES))]
        reach, blind = _reach(problem, base, spread)
        values = {name: rounded(array) for name, array in base.found.items()}
    gauges = {}
    for name in base.found:
        found = FACTOR * np.stack([one.found[name] for one in spread])
        if name in BY_SAMPLE and blind.any():
            found[:, blind[: found.shape[1]]] = np.inf
        elif name.startswith(BY_BATCH) and blind.any():
            found[:] = np.inf
        gauges[name] = upwards(found)
    a, b, c, d = (float(v) for v in upwards(np.array(reach)))
    return Answered(values, gauges, (a, b, c, d))


class Spread(NamedTuple):
    """The rms responses to one cause: of results, and of a and r in each space; floats."""

    found: dict[str, NDArray]
    spaces: list[tuple[NDArray, NDArray]]


def _spread(
    problem: Problem, run: Answer, base: Outcome, exact: Rounding, cause: int, draws: int
) -> Spread:
    """Evaluate with the roundings of one cause and return the rms responses."""
    start = _arrays(base)
    total = [np.zeros(np.shape(array)) for array in start]
    if any(place.parts[cause] for place in exact.places):
        digits, unit = _resolution(problem, base, exact, cause)
        with mp.workdps(digits):
            if cause == TINY:  # with the digits that its unit needs
                base = run(Rounding())
                start = _arrays(base)
            for k in range(draws):
                rng = Random(f"{problem.id}:{CAUSES[cause]}:{k}")
                moved = _arrays(run(Rounding(exact.places, cause, unit, rng)))
                for j, (one, two) in enumerate(zip(start, moved, strict=True)):
                    response = each(lambda d: _float(d / unit), np.asarray(two - one, object))
                    with np.errstate(over="ignore"):
                        total[j] = np.hypot(total[j], np.asarray(response, np.float64))
    total = [array / sqrt(draws) for array in total]
    count = len(base.found)
    pairs = zip(total[count::2], total[count + 1 :: 2], strict=True)
    return Spread(dict(zip(base.found, total[:count], strict=True)), list(pairs))


def _resolution(problem: Problem, base: Outcome, exact: Rounding, cause: int) -> tuple[int, Any]:
    """Return the digits of the perturbed evaluations, and the unit that is injected.

    A roundoff is relative. The smallest number is absolute: the unit must be small beside the
    smallest radius, and resolved beside the largest intermediate.
    """
    unit = mp.mpf(10) ** -SMALL
    if cause != TINY:
        return mp.dps, unit
    radii = [r for space in base.spaces for r in space.r.ravel() if r]
    unit *= min([mp.mpf(1), *radii] if radii else [mp.mpf(problem.least) ** 2])
    sizes = [s for place in exact.places for s in place.sizes.ravel()]
    return mp.dps + ceil(float(mp.log10(max([mp.mpf(1), *sizes]) / unit))), unit


def _reach(
    problem: Problem, base: Outcome, spread: list[Spread]
) -> tuple[tuple[float, ...], NDArray]:
    """Return how near a comes to 0 and r to a kink, in units of each cause, and the blind samples.

    Nearness is 6 rms of the response, in lengths of r or of the distance to the kink.
    """
    unit, tiny = UNITS[problem.family]
    batch = len(problem.inputs.get("x", problem.inputs.get("a", ())))
    worst = np.zeros((len(CAUSES), batch))
    for k, space in enumerate(base.spaces):
        moved = np.stack([_share(problem, space, *one.spaces[k]) for one in spread])
        if moved.shape[1]:
            worst = np.maximum(worst, moved.reshape(len(CAUSES), batch, -1).max(2))
    total = np.hypot(np.hypot(worst[0], worst[1]), worst[2]) * unit + worst[TINY] * tiny
    blind = ~(total <= 1)
    seen = worst[:, ~blind]
    return tuple(float(v) for v in seen.max(axis=1, initial=0.0)), blind


def _share(problem: Problem, space: Active, a: NDArray, r: NDArray) -> NDArray:
    """Return, row by row, 6 rms |ȧ|/r or 6 rms ṙ/|r − τ|, whichever is larger."""
    radii = np.array([_float(v) for v in space.r.ravel()])
    tau = threshold(problem.profile)
    with np.errstate(all="ignore"):
        share = np.where(a == 0, 0.0, a / radii[:, None])
        found = np.sqrt(np.sum(share**2, axis=1))
        found = np.where(np.isinf(found), np.hypot.reduce(share, axis=1), found)
        if tau is not None:
            away = np.array([_float(abs(v - tau)) for v in space.r.ravel()])
            found = np.maximum(found, np.where(r[:, 0] == 0, 0.0, r[:, 0] / away))
    return np.asarray(FACTOR * np.where(np.isnan(found), np.inf, found))


def _arrays(outcome: Outcome) -> list[NDArray]:
    spaces = [array for space in outcome.spaces for array in (space.a, space.r)]
    return [*(np.asarray(v, object) for v in outcome.found.values()), *spaces]


def _float(value: Any) -> float:
    return float(value) if mp.isfinite(value) else float("inf")
