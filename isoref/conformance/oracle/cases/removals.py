"""Cases of widths beyond dense layers: channels, and spaces that skips connect."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from isoref.conformance.oracle.cases.draw import FAMILIES, PROFILES, Draw, every_other
from isoref.conformance.oracle.cases.networks import IMAGES, Shape
from isoref.conformance.oracle.cases.topology import surgery
from isoref.conformance.oracle.edits import joint, left
from isoref.conformance.oracle.network import members
from isoref.conformance.oracle.numbers import NDArray
from isoref.conformance.oracle.problem import Problem


class Pruned(NamedTuple):
    """A network, the space, how many neurons can go, and whether they are constants or dead."""

    shape: Shape
    space: int
    gone: int
    constant: bool


PRUNED = (
    Pruned(Shape("dead neurons", (3, 5, 2), ("dead",)), 1, 2, False),
    Pruned(Shape("a constant neuron", (4, 4, 3), ("constant",)), 1, 1, True),
    Pruned(
        Shape(
            "a constant channel",
            (2, 4, 2),
            ("constant",),
            kernels=((3,), (2,)),
            image=(6,),
            how=({"padding": 1, "stride": 2}, {"padding": 1}),
        ),
        1,
        1,
        True,
    ),
    Pruned(
        Shape(
            "channels further on, averaged",
            (1, 2, 5, 2),
            ("constant", "pooling"),
            batch=1,
            kernels=((2, 2), (1, 2), (1, 1)),
            image=(3, 4),
            how=({}, {}, {"pool": 0}),
        ),
        2,
        2,
        True,
    ),
    Pruned(
        Shape(
            "a skip around a space: dead where it leaves, constant where it arrives",
            (2, 4, 3, 4, 2),
            ("constant",),
            skips=((1, 3),),
        ),
        1,
        1,
        True,
    ),
    Pruned(
        Shape("dead in both of two connected spaces", (3, 4, 4, 2), ("dead",), skips=((1, 2),)),
        1,
        1,
        False,
    ),
    Pruned(
        Shape(
            "channels that a skip connects",
            (2, 4, 4, 2),
            ("constant",),
            batch=1,
            kernels=((2,), (3,), (1,)),
            image=(4,),
            how=({}, {"padding": 1}, {}),
            skips=((1, 2),),
        ),
        2,
        1,
        True,
    ),
)
GROWN = ((IMAGES[1], 1, 1), (IMAGES[6], 2, 2), (IMAGES[7], 1, 1))
DROPPED = (
    (IMAGES[1], 1, (2,)),
    (Shape("where a skip arrives", (3, 4, 4, 2), skips=((1, 2),)), 2, (0, 3)),
    (Shape("where a skip around a space arrives", (2, 3, 2, 3, 2), skips=((1, 3),)), 3, (1,)),
    (IMAGES[7], 2, (1,)),
)


def problems() -> Iterator[Problem]:
    """Yield growing, dropping and pruning."""
    for p, profile in enumerate(PROFILES):
        for number, (shape, space, new) in enumerate(GROWN):
            if every_other(p, number):
                draw, inputs = _network("L5.grow", profile, p + number, shape)
                settings: dict[str, object] = {"space": space, "count": new}
                yield surgery("L5.grow", profile, draw, shape, inputs, settings)
        for number, (shape, space, neurons) in enumerate(DROPPED):
            if every_other(p, number):
                draw, inputs = _network("L5.drop", profile, p + number, shape)
                inputs["values"] = draw.array(len(neurons))
                settings = {"space": space, "neurons": list(neurons)}
                yield surgery("L5.drop", profile, draw, shape, inputs, settings)
        for number, one in enumerate(PRUNED):
            if every_other(p, number):
                tries = (_pruned(profile, p + number if number > 1 else 0, one, k) for k in count())
                yield next(filter(separated, tries))


def _pruned(profile: str, number: int, one: Pruned, attempt: int) -> Problem:
    shape, space, gone, constant = one
    again = [attempt] if attempt else []
    draw, inputs = _network("L5.prune", profile, number, shape, *again)
    hide(draw, inputs, shape, space, gone, constant)
    return surgery("L5.prune", profile, draw, shape, inputs, {"space": space, "count": gone})


def separated(problem: Problem) -> bool:
    """Whether the directions that go are told from the others: σ is 0, or above 3 % of σ_max."""
    matrix = joint(problem.tree("net"), problem.settings["space"], problem.skips)
    values = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    return bool(values[len(matrix) - problem.settings["count"] - 1] > 0.03 * values[0])


def hide(
    draw: Draw, inputs: dict[str, NDArray], shape: Shape, space: int, gone: int, constant: bool
) -> None:
    """Make the last neurons of a class dead or constant, and turn the class without rounding.

    A rotation adds 3 bits to an entry, those of order 4 add 2: so many are left free.
    """
    layers = len(shape.widths) - 1
    together, n = members(space, shape.skips, layers), shape.widths[space]
    R, more = draw.orthogonal(n, "reflection"), 2 if n == 4 else 3
    places = [(m - 1, name, 0) for m in together for name in ("weight", "psi", "bias")]
    places = [*places, *((m, "weight", 1) for m in together)]
    axes: dict[str, list[int]] = {}
    for layer, name, axis in places:
        if f"net.{layer}.{name}" in inputs:
            axes.setdefault(f"net.{layer}.{name}", []).append(axis)
    for key, turned in axes.items():
        inputs[key] = _coarse(inputs[key], draw.family - more * len(turned))
    for member in together:
        for name in ("weight", "psi", "bias"):
            key = f"net.{member - 1}.{name}"
            if key in inputs and (name != "bias" or not constant or left(member, shape.skips)):
                inputs[key][n - gone :] = 0.0
    for key, turned in axes.items():
        for axis in turned:
            inputs[key] = np.moveaxis(np.tensordot(R, inputs[key], axes=(1, axis)), 0, axis)


def _coarse(array: NDArray, bits: int) -> NDArray:
    """Return an array rounded to multiples of its largest power of 2 over 2^bits."""
    step = 2.0 ** (np.ceil(np.log2(np.abs(array).max())) - bits)
    return np.asarray(np.round(array / step) * step)


def _network(
    check: str, profile: str, number: int, shape: Shape, *again: int
) -> tuple[Draw, dict[str, NDArray]]:
    draw = Draw(FAMILIES[number % 3], "removals", check, profile, shape.note, *again)
    scale = 2.0 if profile.startswith("relu") else 0.5
    psi = check != "L5.grow" or number // 2 % 2 == 0
    net = draw.network(shape.widths, kernels=shape.kernels, scale=scale, psi=psi)
    return draw, {**net, "x": draw.array(shape.batch, shape.widths[0], *shape.image)}
