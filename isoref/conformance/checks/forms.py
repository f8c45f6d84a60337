"""Level 4: the forms that singular vectors give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from isoref.conformance.edited import (
    backward_error,
    factored,
    function,
    outputs,
    returned,
    untouched,
)
from isoref.conformance.judge import Verdict, judged, worst_of
from isoref.conformance.numerics import limit
from isoref.conformance.plan import Check, Context, Trial, of_vectors
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.network import Network
from isoref.tolerance import FLOAT64

NDArray = np.ndarray[Any, Any]

FORMS = {"left": (1,), "right": (0,), "full": (0, 1)}
"""The spaces that each side turns, counted from the one that the layer reads."""


def _diagonalise(context: Context, case: Case) -> Verdict:
    net, x = case.network(context.dtype), case.array("x", context.dtype)
    layer, side = int(case.settings["layer"]), str(case.settings["side"])
    got = _called(context, net, layer, side)
    values = case.expected["singular_values"]
    form = diagonal(
        context, net, got, layer, side, values.value, limit(values.gauges, context.arithmetic)
    )
    spaces = [layer + k for k in FORMS[side]]
    spread = factored(net, spaces, _order(net, layer), context.arithmetic)
    y = case.expected["y"]
    same = outputs(got, x, y.value, limit(y.gauges, FLOAT64), spread)
    return worst_of([*form, untouched(got, net, *spaces), same])


def _called(context: Context, net: Network, layer: int, side: str) -> Network:
    return returned(context, net, net.widths, "diagonalise", layer, side)


def unfolded(net: Network, layer: int, side: str) -> NDArray:
    """Return the matrix that a form decomposes: taps go with inputs, for "right" with outputs."""
    weight = np.asarray(net.layers[layer].weight, np.float64)
    if side == "right":
        return np.moveaxis(weight, 1, -1).reshape(-1, weight.shape[1])
    return weight.reshape(len(weight), -1)


def _order(net: Network, layer: int) -> int:
    """Return the larger side of the matrix that is decomposed."""
    weight = net.layers[layer].weight
    return int(weight.size // min(weight.shape[:2]))


def diagonal(
    context: Context,
    net: Network,
    got: Network,
    layer: int,
    side: str,
    values: NDArray,
    bound: NDArray | float,
) -> list[Verdict]:
    """Judge that the weight has orthogonal rows or columns of these lengths, or is diagonal."""
    weight = got.layers[layer].weight.astype(np.float64)
    scale = float(np.max(values, initial=0.0))
    if 0 < scale < 2.0**-400:  # where squares underflow
        weight, values, bound = (np.asarray(v) * 2.0**400 for v in (weight, values, bound))
        scale *= 2.0**400
    error = scale * backward_error(_order(net, layer), context.arithmetic)
    if side == "full":
        size = np.sqrt((weight**2).reshape(*weight.shape[:2], -1).sum(axis=2))
        along = np.diagonal(size if weight.ndim > 2 else weight)
        off = np.where(np.eye(*size.shape) == 1, 0.0, size)
        return [
            judged("diagonal", along, values, bound + 2 * error),
            judged("off the diagonal", off, np.zeros(off.shape), 2 * error),
        ]
    axis = 0 if side == "left" else 1
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    lengths, wanted = np.sqrt((rows**2).sum(axis=1)), np.zeros(len(rows))
    wanted[: len(values)] = values[: len(rows)]
    slack = np.zeros(len(rows))
    slack[: len(values)] = np.broadcast_to(bound, values.shape)
    gram = rows @ rows.T
    np.fill_diagonal(gram, 0.0)
    near = error * (wanted[:, None] + wanted + error)
    what = "rows" if side == "left" else "columns"
    return [
        judged(f"lengths of {what}", lengths, wanted, slack + error),
        judged(f"products of {what}", gram, np.zeros(gram.shape), near),
    ]


def _wide(context: Context) -> Iterator[Trial]:
    """Widths beyond the fan-in and below it, values that repeat, vanish in part or all."""
    profile = context.profiles[0]
    kinds = ("random", "orthogonal", "rank one", "zero")
    cases = [(widths, kind) for widths in ((2, 6, 3, 2), (2, 3, 6, 2)) for kind in kinds]
    for widths, kind in [*cases, ((2, 1, 3, 2), "random"), ((2, 3, 1, 2), "random")]:
        rng = context.rng("wide", "-".join(map(str, widths)), kind)
        net = _made(context, widths, kind, rng, profile)
        x = rng.standard_normal((5, 2)).astype(context.dtype)
        for layer in range(3):
            for side, spaces in FORMS.items():
                if all(1 <= layer + k <= 2 for k in spaces):
                    text = f"{profile.name}.{'-'.join(map(str, widths))}.{kind}.{layer}.{side}"
                    run = partial(_decomposed, net=net, x=x, layer=layer, side=side)
                    yield Trial(text.replace(" ", "-"), profile.name, (), run)


def _made(
    context: Context, widths: tuple[int, ...], kind: str, rng: np.random.Generator, profile: Any
) -> Network:
    net = Network.random(widths, profile=profile, q=0.25, dtype=str(context.dtype), seed=rng)
    layers = []
    for layer in net.layers:
        m, n = layer.weight.shape
        weight = {
            "random": rng.standard_normal((m, n)),
            "orthogonal": layer.weight,
            "rank one": np.outer(rng.standard_normal(m), rng.standard_normal(n)),
            "zero": np.zeros((m, n)),
        }[kind].astype(context.dtype)
        bias = (0.4 * rng.standard_normal(m)).astype(context.dtype)
        psi = layer.psi
        if psi is not None and "psi" not in context.calls.offer.unsupported:
            psi = (0.4 * rng.standard_normal(m)).astype(context.dtype)
        layers.append(replace(layer, weight=weight, bias=bias, psi=psi))
    return net.rebuilt(layers)


def _decomposed(context: Context, net: Network, x: NDArray, layer: int, side: str) -> Verdict:
    got = _called(context, net, layer, side)
    values = np.linalg.svd(unfolded(net, layer, side), compute_uv=False)
    spaces = [layer + k for k in FORMS[side]]
    own = backward_error(_order(net, layer), FLOAT64) * float(values[0])
    spread = factored(net, spaces, _order(net, layer), context.arithmetic)
    form = diagonal(context, net, got, layer, side, values, own)
    return worst_of([*form, untouched(got, net, *spaces), function(got, net, x, spread)])


def _sides(context: Context, subject: Subject) -> Iterator[Run]:
    """Every side of every layer that has one: of kernels, between connected spaces, at the ends."""
    net = subject.net
    for layer in range(net.depth + 1) if subject.features or subject.extreme else ():
        for side, turns in FORMS.items():
            labels = [net.label(layer + k) for k in turns if 1 <= layer + k <= net.depth]
            tapless = np.prod(net.layers[layer].kernel) == 1 or side != "full"
            if len(set(labels)) == len(turns) and tapless:
                run = partial(_decomposed, context, net, subject.x, layer, side)
                yield f"{layer}.{side}", (), run


def _trials(context: Context) -> Iterator[Trial]:
    yield from VECTORS.trials(context)
    yield from _wide(context)
    yield from OTHERS.trials(context)


LAW = "singular values in order, rows or columns orthogonal, full factors, the same function"
VECTORS = of_vectors("L4.diagonalise", "S4.7", LAW, ("diagonalise",), _diagonalise)
OTHERS = of_subjects("L4.diagonalise", "S4.7", LAW, ("diagonalise",), _sides, profiles=1)
CHECKS: tuple[Check, ...] = (
    Check("L4.diagonalise", "S4.7", f"{LAW} (C07, C26)", ("diagonalise",), (), _trials),
)
