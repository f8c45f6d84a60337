"""Cases of optimisers: single steps of every rule, and what rotations do to momentum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from isoref.conformance.oracle.cases.draw import FAMILIES, PROFILES, Draw, how
from isoref.conformance.oracle.cases.gauge import TURNED, rotation
from isoref.conformance.oracle.cases.networks import IMAGES, Shape
from isoref.conformance.oracle.problem import Problem

SGD: Mapping[str, Any] = {
    "optimiser": "sgd",
    "rate": 0.125,
    "momentum": 0.75,
    "nesterov": False,
    "decay": 0.0,
    "decoupled": False,
    "clip": None,
}
ADAMW: Mapping[str, Any] = {
    "optimiser": "adamw",
    "rate": 0.125,
    "betas": [0.875, 0.96875],
    "eps": 2.0**-20,
    "decay": 0.0,
    "decoupled": True,
    "clip": None,
}
RULES: tuple[tuple[str, Mapping[str, Any], int], ...] = (
    ("gradient descent", {**SGD, "momentum": 0.0}, 0),
    ("the first step of momentum", SGD, 0),
    ("momentum", SGD, 3),
    ("Nesterov", {**SGD, "nesterov": True}, 3),
    ("coupled decay", {**SGD, "decay": 0.25}, 2),
    ("coupled decay with Nesterov", {**SGD, "decay": 0.25, "nesterov": True}, 2),
    ("decoupled decay", {**SGD, "decay": 0.25, "decoupled": True}, 2),
    ("clipped by the norm of all parameters", {**SGD, "clip": 0.5}, 1),
    ("a gradient shorter than the clip", {**SGD, "clip": 1024.0}, 1),
    ("decimal settings", {**SGD, "rate": 0.01, "momentum": 0.9, "decay": 1e-4}, 7),
    ("the first step of AdamW", ADAMW, 0),
    ("AdamW", ADAMW, 4),
    ("AdamW with decay, which is decoupled", {**ADAMW, "decay": 0.25}, 4),
    ("AdamW clipped", {**ADAMW, "clip": 0.5}, 4),
    ("ε as large as the slope", {**ADAMW, "eps": 0.5}, 4),
    ("AdamW, decimal", {**ADAMW, "rate": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8}, 9),
)
"""A note, the settings, and the steps made before."""

SHAPES = (
    Shape("", (3, 4, 2)),
    Shape("", (2, 3, 3, 2)),
    IMAGES[0],
    IMAGES[5],
)


def problems() -> Iterator[Problem]:
    """Yield steps and transports."""
    number = 0
    for note, rule, steps in RULES:
        for family in FAMILIES:
            for shape in SHAPES[:2] if number % 2 else (SHAPES[0], SHAPES[2 + number // 2 % 2]):
                profile = PROFILES[number % len(PROFILES)]
                yield step(profile, family, shape, note, rule, steps, number)
                number += 1
    for p, profile in enumerate(PROFILES):
        for k, (shape, space) in enumerate(TURNED):
            if (p + k) % 2 == 0:
                yield rotation("L6.transport", profile, FAMILIES[(p + k) // 2 % 3], shape, space, p)


def step(
    profile: str,
    family: int,
    shape: Shape,
    note: str,
    rule: Mapping[str, Any],
    steps: int,
    number: int,
) -> Problem:
    """Return the problem of one step of a rule after `steps` others."""
    draw = Draw(family, "step", profile, note, number)
    psi = number % 4 < 3
    net = draw.network(shape.widths, kernels=shape.kernels, psi=psi)
    inputs = {**net, **draw.tangent(net, "gradient", psi=psi)}
    if number % 3 == 0:
        inputs["net.0.q"] = np.array(2.0**-10)
        inputs["gradient.0.q"] = np.array(1.5)
    flags = [*(["q would be negative"] if number % 3 == 0 else [])]
    if number % 4 == 0:
        inputs["gradient.1.bias"] = 0 * inputs["gradient.1.bias"]
        flags.append("zero gradient")
    for name in {"sgd": ("velocity",), "adamw": ("first", "second")}[rule["optimiser"]]:
        tree = draw.tangent(net, f"state.{name}", psi=psi)
        for key, array in tree.items():
            inputs[key] = (np.abs(array) if name == "second" else array) * (steps > 0)
    readings = how(len(shape.widths) - 1, *shape.how)
    settings = {"optimiser": dict(rule), "steps": steps}
    return Problem(
        "L6.step", profile, family, inputs, settings, readings, shape.skips, tuple(flags), note
    )
