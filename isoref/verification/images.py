"""Convolutions and residual networks: the laws of dense networks once more, on shapes of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from math import prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from isoref.edits import Drop, Edit, Grow, Materialise
from isoref.layer import Layer
from isoref.network import Network, Tangent
from isoref.profiles import named
from isoref.propagation import forward
from isoref.tolerance import bounds, compare
from isoref.verification import derivatives, symmetry
from isoref.verification.cases import Case
from isoref.verification.check import Check, worst_of
from isoref.verification.surgery import Found, same_function

NDArray = np.ndarray[Any, Any]
Shape = tuple[int, ...]


class Plan(NamedTuple):
    """Extents of the inputs, channels first, and the width, kernel and reading of each layer."""

    inputs: Shape
    layers: tuple[tuple[int, Shape, dict[str, int]], ...]
    skips: tuple[tuple[int, int], ...] = ()


CONVOLUTIONS = (
    Plan(
        (2, 8),
        (
            (3, (3,), {"padding": 1, "stride": 2}),
            (4, (3,), {"dilation": 2, "padding": 2}),
            (2, (2,), {"pool": 2}),
        ),
    ),
    Plan(
        (2, 4, 5),
        (
            (3, (2, 2), {"padding": 1}),
            (2, (3, 2), {"stride": 2, "padding": 1}),
            (2, (1, 1), {"pool": 0}),
        ),
    ),
    Plan(
        (1, 4, 6),
        (
            (3, (3, 3), {"padding": 1}),
            (4, (2, 2), {"pool": 2, "padding": 1}),
            (2, (2, 3), {"stride": 2}),
        ),
    ),
)
RESIDUAL = (
    Plan((3,), ((4, (), {}), (4, (), {}), (4, (), {}), (2, (), {})), ((1, 2), (2, 3))),
    Plan((2,), ((3, (), {}), (4, (), {}), (3, (), {}), (2, (), {})), ((1, 3),)),
    Plan(
        (2, 3, 3),
        (
            (3, (2, 2), {"padding": 1}),
            (3, (3, 3), {"padding": 1}),
            (3, (3, 1), {}),
            (2, (2, 1), {}),
        ),
        ((1, 2),),
    ),
)


PROFILES = ("tanh", "softsign", "silu")
SURGERY = {
    "grow": "growing keeps the function, any columns (C09)",
    "drop": "constants are absorbed where no skip leaves, under padding too (C11, C42, C43)",
    "materialise": "the ghost neuron is (q, ψ) (C14)",
}


def checks(dtype: str, seed: int) -> Iterator[Check]:
    """Yield every check of this module in one precision."""
    for label, plans in (("convolutions", CONVOLUTIONS), ("residual", RESIDUAL)):
        cases = list(random_cases(plans, dtype, seed))
        name = f"{label}.{dtype}"
        yield from derivatives.checks(cases, name, entries=12)
        yield from symmetry.invariance(cases, name, seed)
        yield from surgery(cases, name, seed)
    yield dense(dtype, seed)


def random_cases(plans: tuple[Plan, ...], dtype: str, seed: int) -> Iterator[Case]:
    """Yield every profile of `PROFILES` with q = 0 and with q > 0, on the plans in turn."""
    rng, plan = np.random.default_rng(seed), cycle(plans)
    for name in PROFILES:
        for q in (0.0, 0.7):
            yield case(next(plan), name, q, dtype, rng)


def case(plan: Plan, profile: str, q: float, dtype: str, rng: np.random.Generator) -> Case:
    """Return a network with normal entries, b and ψ included, and inputs and velocities for it."""

    def normal(*shape: int, fan_in: int = 1) -> NDArray:
        return (rng.standard_normal(shape) / sqrt(fan_in)).astype(dtype)

    layers, columns, last = [], plan.inputs[0], len(plan.layers) - 1
    for i, (rows, kernel, reading) in enumerate(plan.layers):
        weight = normal(rows, columns, *kernel, fan_in=columns * prod(kernel))
        psi = normal(rows, *kernel, fan_in=prod(kernel)) if i > 0 else None
        length = q * float(rng.uniform(0.5, 1.5)) if i < last else None
        layers.append(Layer(weight, normal(rows), psi, length, **reading))
        columns = rows
    net = Network(layers, named(profile), skips=plan.skips)
    x = normal(2, *plan.inputs)
    y = forward(net, x)
    kernels = " ".join(f"{rows}{[*kernel]}" for rows, kernel, _ in plan.layers)
    skips = f" skips {plan.skips}" if plan.skips else ""
    return Case(
        text=f"{profile} {[*plan.inputs]} {kernels}{skips} q={q:g} {dtype}",
        net=net,
        x=x,
        ybar=normal(*y.shape),
        net_dot=Tangent.random(net, seed=rng),
        x_dot=normal(*x.shape),
    )


def surgery(cases: list[Case], label: str, seed: int) -> Iterator[Check]:
    """Growing, dropping constants and materialising keep the function, under padding too."""
    found: dict[str, Found] = {name: [] for name in SURGERY}
    rng = np.random.default_rng(seed)
    for one in cases:
        net, spaces = one.net, range(1, one.net.depth + 1)
        grown, growth, drops = net, list[Edit](), list[Edit]()
        for space in spaces:
            new = grown.widths[space]
            grown, edit = _with_constants(grown, space, rng)
            growth.append(edit)
            if space not in {source for source, _ in net.skips}:
                drops.append(Drop(space, (new, new + 1)))
        ghosts = [Materialise(s) for s in spaces if float(net.layers[s - 1].q) > 0]
        for name, before, edits in (
            ("grow", net, growth),
            ("drop", grown, drops),
            ("materialise", net, ghosts),
        ):
            if edits:
                worst = same_function(before, tuple(edits), one.x)
                found[name].append((one.text, worst))
    for name, law in SURGERY.items():
        yield worst_of(f"{name}.{label}", law, found[name])


def _with_constants(net: Network, space: int, rng: np.random.Generator) -> tuple[Network, Grow]:
    """Return `net` with two constant neurons more, and the edit that adds them as zeros."""
    rows, _, *kernel = net.layers[space].weight.shape
    columns = rng.standard_normal((rows, 2, *kernel)).astype(net.reference.dtype)
    edit = Grow(space, columns)
    layers = list(edit.apply(net).layers)
    bias = np.array(layers[space - 1].bias)
    bias[-2:] = rng.standard_normal(2)
    layers[space - 1] = replace(layers[space - 1], bias=bias)
    return net.rebuilt(layers), edit


def dense(dtype: str, seed: int) -> Check:
    """A dense layer is a convolution whose kernel is the image (S8.2)."""
    rng = np.random.default_rng(seed)
    found: Found = []
    for image in ((3,), (2, 3)):
        plan = Plan((2, *image), ((4, image, {}), (2, (1,) * len(image), {})))
        one = case(plan, "tanh", 0.7, dtype, rng)
        flat = [
            Layer(
                layer.weight.reshape(len(layer.weight), -1),
                layer.bias,
                None if layer.psi is None else layer.psi.reshape(-1),
                layer.q,
            )
            for layer in one.net.layers
        ]
        net, x = Network(flat, one.net.profile), one.x.reshape(len(one.x), -1)
        limit = bounds(one.net, one.x).y.reshape(len(x), -1) + bounds(net, x).y
        got = forward(one.net, one.x).reshape(len(x), -1)
        found.append((one.text, compare(got, forward(net, x), limit)))
    return worst_of(f"kernel.{dtype}", "a dense layer's kernel is the image (S8.2)", found)
