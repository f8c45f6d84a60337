"""Cases of widths: scaffolds, neurons that become constants, neurons that can go unnoticed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoref.conformance.oracle.cases.draw import FAMILIES, PROFILES, Draw, how
from isoref.conformance.oracle.cases.networks import IMAGES, Shape
from isoref.conformance.oracle.numbers import NDArray
from isoref.conformance.oracle.problem import Problem

GROWN = (
    (Shape("one neuron", (3, 4, 2)), 1, 1),
    (Shape("beyond the fan-in", (2, 3, 3, 2), ("wide > fan-in",)), 2, 3),
    (IMAGES[0], 1, 2),
    (IMAGES[5], 1, 1),
)
DROPPED = (
    (Shape("arbitrary constants", (3, 5, 2)), 1, (0, 3)),
    (Shape("between hidden spaces", (2, 3, 4, 2)), 2, (2,)),
    (Shape("all but one", (3, 3, 2)), 1, (0, 1)),
    (Shape("constants of 0", (3, 4, 2), ("zero constants",)), 1, (1,)),
    (IMAGES[0], 1, (1,)),
    (IMAGES[4], 1, (0,)),
)
PRUNED = (
    (Shape("dead neurons", (3, 5, 2), ("dead",)), 1, 2, False),
    (Shape("a constant neuron", (4, 4, 3), ("constant",)), 1, 1, True),
    (Shape("constant neurons further on", (2, 3, 6, 2), ("constant",)), 2, 2, True),
)
"""Networks, the space, how many neurons go, and whether they have a bias."""


def problems() -> Iterator[Problem]:
    """Yield growing, dropping and pruning."""
    for p, profile in enumerate(PROFILES):
        for number, (shape, space, count) in enumerate(GROWN):
            family, psi = FAMILIES[(p + number) % 3], (p + number) % 2 == 0
            draw, inputs = _network("L5.grow", profile, family, shape, psi=psi)
            yield surgery("L5.grow", profile, draw, shape, inputs, {"space": space, "count": count})
        for number, (shape, space, neurons) in enumerate(DROPPED):
            draw, inputs = _network("L5.drop", profile, FAMILIES[(p + number) % 3], shape)
            inputs["values"] = draw.array(len(neurons)) * ("zero constants" not in shape.flags)
            settings = {"space": space, "neurons": list(neurons)}
            yield surgery("L5.drop", profile, draw, shape, inputs, settings)
        for number, (shape, space, count, biased) in enumerate(PRUNED):
            family = (24, 53)[(p + number) % 2]
            draw, inputs = _network("L5.prune", profile, family, shape)
            _hide(draw, inputs, space, count, biased)
            settings = {"space": space, "count": count}
            yield surgery("L5.prune", profile, draw, shape, inputs, settings)


def _network(
    check: str, profile: str, family: int, shape: Shape, *, psi: bool = True
) -> tuple[Draw, dict[str, NDArray]]:
    draw = Draw(family, check, profile, shape.note)
    scale = 2.0 if profile.startswith("relu") else 0.5
    net = draw.network(shape.widths, kernels=shape.kernels, scale=scale, psi=psi)
    return draw, {**net, "x": draw.array(2, shape.widths[0], *shape.image)}


def surgery(
    check: str,
    profile: str,
    draw: Draw,
    shape: Shape,
    inputs: dict[str, NDArray],
    settings: dict[str, object],
) -> Problem:
    """Return the problem of an edit of a network of this shape."""
    readings = how(len(shape.widths) - 1, *shape.how)
    return Problem(
        check,
        profile,
        draw.family,
        inputs,
        settings,
        readings,
        shape.skips,
        shape.flags,
        shape.note,
    )


def _hide(draw: Draw, inputs: dict[str, NDArray], space: int, count: int, biased: bool) -> None:
    """Make the last neurons of a space dead or constant, and turn the space without rounding.

    The entries keep 12 bits less than the family has, so that the turned ones fit.
    """
    n = len(inputs[f"net.{space - 1}.bias"])
    R = draw.orthogonal(n, "reflection")
    step = 2.0 ** -(draw.family - 14)
    for name in ("weight", "psi", "bias"):
        key = f"net.{space - 1}.{name}"
        if key in inputs:
            array = np.round(inputs[key] / step) * step
            if name != "bias" or not biased:
                array[n - count :] = 0.0
            inputs[key] = R @ array
    key = f"net.{space}.weight"
    inputs[key] = (np.round(inputs[key] / step) * step) @ R.T
