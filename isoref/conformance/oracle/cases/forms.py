"""Cases of the gauge beyond dense layers: kernels, classes of spaces, values that repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from isoref.conformance.oracle.cases.draw import FAMILIES, PROFILES, Draw, every_other, how
from isoref.conformance.oracle.cases.gauge import rotation
from isoref.conformance.oracle.cases.networks import IMAGES, Shape
from isoref.conformance.oracle.numbers import NDArray
from isoref.conformance.oracle.problem import Problem

TURNED = (
    (IMAGES[6], 1),
    (IMAGES[2], 2),
    (Shape("one of six spaces", (2, 3, 3, 4, 3, 3, 3, 2), ("deep",)), 3),
)
"""Networks, and the space of each that turns."""


class Form(NamedTuple):
    """A network, the layer that gets a form and which, and what its weight is."""

    shape: Shape
    layer: int
    side: str
    weight: str = ""


ONE_TAP = Shape(
    "a kernel of one tap between others",
    (2, 3, 4, 2),
    kernels=((3,), (1,), (2,)),
    image=(5,),
    how=({"padding": 1}, {}, {"stride": 2}),
)
PLANE = Shape(
    "more channels than taps",
    (1, 5, 2),
    ("wide > fan-in",),
    kernels=((2, 2), (2, 1)),
    image=(3, 3),
)
FORMS = (
    Form(IMAGES[0], 0, "left"),
    Form(IMAGES[0], 1, "right"),
    Form(PLANE, 0, "left"),
    Form(ONE_TAP, 1, "full"),
    Form(ONE_TAP, 2, "right"),
    Form(Shape("it widens", (2, 3, 6, 2), ("wide > fan-in",)), 1, "left"),
    Form(Shape("values that are all equal", (3, 4, 4, 2), ("repeated",)), 1, "full", "orthogonal"),
    Form(
        Shape("three equal values and a null", (3, 4, 3), ("repeated",)), 1, "right", "orthogonal"
    ),
    Form(Shape("one value and nulls", (3, 4, 3, 2), ("rank one",)), 1, "left", "rank one"),
    Form(Shape("no value but 0", (3, 4, 3, 2), ("zero weight",)), 1, "full", "zero"),
    Form(IMAGES[5], 0, "left"),
    Form(IMAGES[5], 1, "left"),
    Form(IMAGES[5], 2, "right"),
    Form(IMAGES[7], 1, "right"),
)


def problems() -> Iterator[Problem]:
    """Yield rotations and diagonal forms."""
    for p, profile in enumerate(PROFILES):
        for number, (shape, space) in enumerate(TURNED):
            if every_other(p, number):
                family = FAMILIES[(p + number) % 3]
                found = rotation("L4.rotate", profile, family, shape, space, p // 2 + number)
                yield replace(found, inputs={**found.inputs, "R": _one_way(found.inputs["R"])})
        for number, form in enumerate(FORMS):
            if every_other(p, number):
                yield _form(profile, FAMILIES[(p + number) % 3], form, number, p)


def _one_way(R: NDArray) -> NDArray:
    """Return R, or a signed permutation in its place if it is symmetric and undoes itself."""
    if not np.array_equal(R, R.T):
        return R
    turn = np.roll(np.eye(len(R)), 1, axis=0)
    turn[0] *= -1
    return turn


def _form(profile: str, family: int, form: Form, number: int, p: int) -> Problem:
    shape, layer, side, kind = form
    draw = Draw(family, "forms", profile, number)
    scale = 2.0 if profile.startswith("relu") else 0.5
    net = draw.network(
        shape.widths, kernels=shape.kernels, psi=(p + number) // 2 % 3 > 0, scale=scale
    )
    if kind:
        net[f"net.{layer}.weight"] = _weight(draw, kind, *shape.widths[layer : layer + 2])
    inputs = {**net, "x": draw.array(2, shape.widths[0], *shape.image)}
    return Problem(
        "L4.diagonalise",
        profile,
        family,
        inputs,
        {"layer": layer, "side": side},
        how(len(shape.widths) - 1, *shape.how),
        shape.skips,
        shape.flags,
        shape.note,
    )


def _weight(draw: Draw, kind: str, columns: int, rows: int) -> NDArray:
    """Return a weight whose singular values repeat, all but one of which vanish, or all."""
    if kind == "orthogonal":
        n = max(rows, columns)
        return np.asarray(1.5 * draw.orthogonal(n, "reflection")[:rows, :columns])
    if kind == "rank one":
        found = draw.rng.integers(1, 16, rows + columns) * draw.rng.choice((-1.0, 1.0))
        return np.outer(found[:rows], found[rows:]) / 64
    return np.zeros((rows, columns))
