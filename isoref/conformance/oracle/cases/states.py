"""Cases of states: steps of convolutions with skips, and moments that follow a rotation.

A second moment of entries follows signed permutations alone (S7.5): those of AdamW meet no other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoref.conformance.oracle.cases import forms, gauge
from isoref.conformance.oracle.cases.draw import FAMILIES, PROFILES, Draw, how
from isoref.conformance.oracle.cases.networks import IMAGES, Shape
from isoref.conformance.oracle.cases.optimisers import RULES, step
from isoref.conformance.oracle.problem import Problem

MOMENTS = {"sgd": ("velocity",), "adamw": ("first", "second")}


def problems() -> Iterator[Problem]:
    """Yield steps and transports."""
    for number, (note, rule, steps) in enumerate(RULES[3::2]):
        shape, profile = IMAGES[7 - number % 2], PROFILES[number % len(PROFILES)]
        family = FAMILIES[number % 3]
        yield step(profile, family, shape, note, rule, steps, 1000 + number)
    turned = [("sgd", *one) for one in forms.TURNED]
    turned += [("adamw", *one) for one in (*gauge.TURNED, *forms.TURNED)]
    for k, (optimiser, shape, space) in enumerate(turned):
        for number in (2 * k, 2 * k + 1):
            profile, family = PROFILES[number % len(PROFILES)], FAMILIES[number % 3]
            yield _transport(optimiser, profile, family, shape, space, number)


def _transport(
    optimiser: str, profile: str, family: int, shape: Shape, space: int, number: int
) -> Problem:
    draw = Draw(family, "states", optimiser, number)
    psi = number % 4 > 0
    net = draw.network(shape.widths, kernels=shape.kernels, psi=psi)
    inputs = dict(net)
    for name in MOMENTS[optimiser]:
        for key, array in draw.tangent(net, f"state.{name}", psi=psi).items():
            inputs[key] = np.abs(array) if name == "second" else array
    kind = "3-4-5" if family == 53 else "reflection" if shape.widths[space] > 3 else ""
    kind = "signed permutation" if optimiser == "adamw" or not kind else kind
    inputs["R"] = draw.orthogonal(shape.widths[space], kind)
    settings = {"space": space, "optimiser": optimiser, "steps": 2 + number % 5}
    readings = how(len(shape.widths) - 1, *shape.how)
    flags = (*shape.flags, kind)
    return Problem(
        "L6.transport", profile, family, inputs, settings, readings, shape.skips, flags, shape.note
    )
