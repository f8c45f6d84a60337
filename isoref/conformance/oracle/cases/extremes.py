"""Cases at the ends of the range: Jacobians where r is 0, tiny or at a kink, and networks there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from isoref.conformance.oracle.cases.activation import TINY, Batch, fitting
from isoref.conformance.oracle.cases.draw import FAMILIES, PROFILES, Draw
from isoref.conformance.oracle.cases.networks import CHECKS, Shape, problem
from isoref.conformance.oracle.problem import Problem
from isoref.conformance.oracle.profiles import threshold

SMALL = Shape(
    "squares underflow in a network",
    (3, 4, 2),
    ("small radius", "squares underflow"),
    q=False,
    psi=False,
    bias=False,
)
LARGE = Shape("squares overflow in a network", (3, 4, 2), ("saturation", "squares overflow"))
FAR = {8: 70, 24: 70, 53: 560}
"""Exponents of radii whose squares the dtype does not have."""


def problems() -> Iterator[Problem]:
    """Yield Jacobians, then networks."""
    for p, profile in enumerate(PROFILES):
        for number, family in enumerate(FAMILIES):
            for k, batch in enumerate(_rows(profile, family)):
                if (p + k) % 3 == number or batch.flags == ("threshold",):
                    yield from _jacobian(profile, family, batch)
        for number, shape in enumerate((SMALL, LARGE)):
            for k, check in enumerate(CHECKS):
                family = FAMILIES[(p + number + k) % 3]
                size = 2.0 ** (FAR[family] if number else -FAR[family])
                found = problem(check, profile, family, replace(shape, size=size), 100 + number)
                # The derivatives of unit at such radii are larger than any number.
                if found is not None and (number or profile != "unit"):
                    yield found


def _rows(profile: str, family: int) -> Iterator[Batch]:
    """Yield single pre-activations."""
    draw, zero = Draw(family, "extremes", profile), np.array(0.0)
    yield Batch(np.zeros((1, 3)), zero, ("zero radius",), "γ(0) I: there is no direction")
    yield Batch(np.zeros((1, 4)), draw.positive(), ("zero vector", "q > 0"), "γ(√q) I")
    for exponent in TINY[family][:3:2]:
        tiny = draw.array(1, 3, scale=2.0**exponent)
        yield Batch(tiny, zero, ("subnormal",), "‖a‖² underflows, r does not")
    alike = draw.array(1, 2, scale=2.0**-14)
    flags = ("small radius", "q > 0")
    yield Batch(alike, draw.positive(2.0**-28), flags, "‖a‖² and q alike small")
    yield Batch(draw.array(1, 8), draw.positive(), ("wide",), "eight neurons")
    tau = threshold(profile)
    for side in () if tau is None else (1 - 2.0**-4, 1 + 2.0**-4):
        yield Batch(np.array([[side * (tau or 0.0)]]), zero, ("threshold",), "both sides of τ")


def _jacobian(profile: str, family: int, batch: Batch) -> Iterator[Problem]:
    """Yield the Jacobian of one row, unless an entry is larger than any number."""
    none = np.zeros_like(batch.a), np.zeros((1, 1))
    if fitting(profile, batch, *none, family):
        inputs = {"a": batch.a, "q": batch.q}
        yield Problem("L3.jacobian", profile, family, inputs, flags=batch.flags, note=batch.note)
