"""Level 6: steps of optimisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.calls import parts
from isoref.conformance.checks.gauge import drawn, parameters, wide_
from isoref.conformance.edited import checked, entries, scaled, still, turned, wide
from isoref.conformance.judge import Verdict, equal, judged, worst_of
from isoref.conformance.linear import ROUNDINGS, limits, reach, scale_of
from isoref.conformance.plan import Check, Context, Trial
from isoref.conformance.states import (
    ADAMW,
    LINEAR,
    NAMES,
    SGD,
    Moments,
    Settings,
    expected,
    moments,
    random,
    started,
    state_of,
)
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.edits import Grow
from isoref.gauge import acted, rotate
from isoref.network import Network, Tangent, leaves, tree_map
from isoref.profiles import Profile
from isoref.tolerance import ARITHMETIC, FACTOR, FLOAT64

NDArray = np.ndarray[Any, Any]

COMMUTING: Mapping[str, Settings] = {
    "descent": {**SGD, "momentum": 0.0},
    "momentum": SGD,
    "nesterov": {**SGD, "nesterov": True, "decay": 0.25},
    "coupled": {**SGD, "decay": 0.25},
    "decoupled": {**SGD, "decay": 0.25, "decoupled": True},
    "clip": {**SGD, "clip": 0.5},
}
"""Rules that commute with the gauge (C21)."""
RULES: Mapping[str, Settings] = {
    **{name: COMMUTING[name] for name in ("nesterov", "decoupled", "clip")},
    "adamw": {**ADAMW, "decay": 0.25},
}


TOGETHER: Mapping[str, Settings] = {
    "nesterov.decoupled": {**SGD, "nesterov": True, "decay": 0.25, "decoupled": True},
    "nesterov.clip": {**SGD, "nesterov": True, "clip": 2.0},
    "coupled.clip": {**SGD, "decay": 0.25, "clip": 2.0},
    "decoupled.clip": {**SGD, "decay": 0.25, "decoupled": True, "clip": 2.0},
    "plain.coupled": {**SGD, "momentum": 0.0, "decay": 0.25},
    "plain.nesterov": {**SGD, "momentum": 0.0, "nesterov": True, "rate": 2.0},
    "adamw.clip.decay": {**ADAMW, "clip": 2.0, "decay": 0.25},
    "adamw.rate.decay": {**ADAMW, "rate": 2.0**-7, "decay": 0.25},
    "adamw.without.first": {**ADAMW, "betas": [0.0, 0.96875]},
    "adamw.without.second": {**ADAMW, "betas": [0.875, 0.0]},
    "slow": {**SGD, "rate": 2.0**-18},
}
"""Settings that vectors have one by one, in one step."""
COUNTS = (0, 1000)
"""Steps that came before: none, and so many that the corrections of adamw are over."""
MORE = (1, 100)
"""Steps between, for one network."""


def moved(
    context: Context, net: Network, state: Mapping[str, Any], gradient: Tangent, settings: Settings
) -> tuple[Network, Moments]:
    """Return the next network of the implementation, and its moments."""
    found, after = parts("step", context.calls("step", net, state, gradient, settings), 2)
    there = checked("step", found, net, net.widths)
    return there, moments("step", after, net, tuple(state["moments"]), state["steps"] + 1)


def _trials(context: Context) -> Iterator[Trial]:
    for case in context.corpus.cases.get("L6.step", ()):
        if case.fits(context.dtype):
            features = (*case.features, str(case.settings["optimiser"]["optimiser"]))
            text = case.id.removeprefix("L6.step.")
            profile = context.profiles[0]  # a step depends on none
            yield Trial(text, profile.name, features, partial(_step, case=case, profile=profile))


def _step(context: Context, case: Case, profile: Profile) -> Verdict:
    net = replace(case.network(context.dtype), profile=profile)
    gradient = case.tangent("gradient", context.dtype)
    state = state_of(context, case, int(case.settings["steps"]))
    got, after = moved(context, net, state, gradient, case.settings["optimiser"])
    return worst_of([parameters(context, case, got), expected(context, case, after)])


def _together(context: Context, subject: Subject) -> Iterator[Run]:
    if subject.text in ("4-3-3-2", "chain"):  # a step goes entry by entry
        for name, settings in TOGETHER.items():
            for steps in COUNTS:
                run = partial(_stepped, context, subject, settings, steps)
                yield f"{name}.{steps}", (str(settings["optimiser"]),), run
    if subject.text == "chain":
        for steps in MORE:
            run = partial(_stepped, context, subject, ADAMW, steps)
            yield f"adamw.{steps}", ("adamw",), run
        far = 2.0**600 if context.dtype == np.float64 else 2.0**80
        run = partial(_stepped, context, subject, {**SGD, "clip": 0.5}, 0, slope=far)
        yield "clip.far", ("sgd",), run
    scale = {"small": 2.0**-40, "large": 2.0**40}.get(subject.text, 1.0)
    for settings in (SGD, ADAMW) if subject.text in ("small", "large", "bare", "wide") else ():
        steps = 0 if subject.text == "bare" else 3
        run = partial(_stepped, context, subject, settings, steps, slope=scale)
        yield str(settings["optimiser"]), (str(settings["optimiser"]),), run


def _stepped(
    context: Context, subject: Subject, settings: Settings, steps: int, slope: float = 1.0
) -> Verdict:
    """Judge a step against isoref's in float64; `slope` multiplies gradients, its square squares.

    What is clipped does not depend on it, not even where its square overflows.
    """
    net, state = subject.net, started(context, subject.net, settings, subject.text)
    state = {**state, "steps": steps}
    dtype = context.dtype.type
    if steps and slope != 1:
        powers = {name: dtype(slope ** (1 + (name not in LINEAR))) for name in state["moments"]}
        state["moments"] = {
            name: tree_map(lambda v, _, k=name: v * powers[k], tree)
            for name, tree in state["moments"].items()
        }
    if steps == 0:
        state["moments"] = {name: Tangent.zeros(net) for name in state["moments"]}
    gradient = random(context, net, context.rng("gradient", subject.text))
    if subject.text == "bare":  # a q of 0 that rises, and one that would fall
        signs = (-1, 1, None)
        gradient = gradient.rebuilt(
            layer if sign is None else replace(layer, q=sign * np.abs(layer.q))
            for layer, sign in zip(gradient.layers, signs, strict=True)
        )
    steep = tree_map(lambda v, _: v * dtype(slope), gradient)
    gradient = steep if settings["clip"] is None else gradient
    got, after = moved(context, net, state, steep, settings)
    own = {**state, "moments": {name: wide(tree) for name, tree in state["moments"].items()}}
    want, moments_ = Adapter().step(wide(net), own, wide(gradient), settings)
    if settings["optimiser"] == "sgd":
        point, velocity = limits(context, settings, net, state["moments"]["velocity"], gradient)
        bounds = {"velocity": velocity}
    else:
        point, bounds = _adaptive(context, settings, net, state, gradient)
    verdicts = [entries(got, want, point)]
    for name, tree in after.items():
        verdicts.append(entries(tree, moments_["moments"][name], bounds[name]))
    return worst_of(verdicts)


def _adaptive(
    context: Context,
    settings: Settings,
    net: Network,
    state: Mapping[str, Any],
    gradient: Tangent,
) -> tuple[Tangent, dict[str, Tangent]]:
    """Return E of parameters and moments after a step of adamw: u for each rounding.

    A moment is a sum of two terms of some roundings each, the second of one sign; the root halves
    its error, and the corrections have that of the settings, which 1 − β multiplies.
    """
    beta1, beta2 = map(float, settings["betas"])
    rate, eps, t = float(settings["rate"]), float(settings["eps"]), state["steps"] + 1
    first, second = (1 - beta1) / (1 - beta1**t), (1 - beta2) / (1 - beta2**t)
    scale = scale_of(settings, gradient)
    unit = max(context.arithmetic.store, context.arithmetic.accumulate)
    unit *= ROUNDINGS + (FACTOR * (0.25 * sqrt(net.parameter_count) + 2.5) if scale < 1 else 0.0)

    def terms(p: NDArray, m: NDArray, v: NDArray, g: NDArray, kind: str) -> NDArray:
        p, m, v, g = (np.abs(entry.astype(np.float64)) for entry in (p, m, v, g))
        reach, square = beta1 * m + scale * g, beta2 * v + (scale * g) ** 2
        push = rate * first * reach / (np.sqrt(second * square) + eps)
        sizes = {"point": p + 2 * push, "first": reach, "second": 2 * square}
        return np.asarray(unit * sizes[kind])

    trees = net.tangent(), *state["moments"].values(), gradient
    found = {
        kind: tree_map(lambda p, m, v, g, _, k=kind: terms(p, m, v, g, k), *trees)
        for kind in ("point", "first", "second")
    }
    return found.pop("point"), found


def _commute(context: Context, subject: Subject) -> Iterator[Run]:
    for name, settings in () if subject.special else COMMUTING.items():
        for space in subject.spaces:
            run = partial(_commuted, context, subject, space, settings)
            yield f"{name}.{space}", ("sgd",), run


def _commuted(context: Context, subject: Subject, space: int, settings: Settings) -> Verdict:
    """The rotations are isoref's, in the dtype; their rounding enters the step as deviations."""
    net, R = subject.net, drawn(context, subject, space, "step")
    state = started(context, net, settings, subject.text)
    velocity = state["moments"]["velocity"]
    gradient = random(context, net, context.rng("gradient", subject.text))
    there = rotate(net, space, R)
    velocity_there, gradient_there = (rotate(tree, space, R) for tree in (velocity, gradient))
    got, after = moved(context, net, state, gradient, settings)
    other = {"steps": state["steps"], "moments": {"velocity": velocity_there}}
    got_there, after_there = moved(context, there, other, gradient_there, settings)
    own = ARITHMETIC[str(context.dtype)]
    point, push, slope = (
        turned(tree, still(tree), space, R, own) for tree in (net.tangent(), velocity, gradient)
    )
    scales = [scale_of(settings, tree) for tree in (gradient, gradient_there)]
    spread = reach(settings, point, push, slope, max(scales))
    shifted = reach(settings, still(net), still(net), gradient_there, abs(scales[0] - scales[1]))
    ends = zip((got, after["velocity"]), (got_there, after_there["velocity"]), strict=True)
    first = limits(context, settings, net, velocity, gradient)
    second = limits(context, settings, there, velocity_there, gradient_there)
    verdicts = []
    for k, (here, far) in enumerate(ends):
        want = acted(wide(here.tangent()), space, wide_(R))
        bound = acted(first[k], space, np.abs(wide_(R))) + second[k] + shifted[k]
        bound = bound + scaled(spread[k] + turned(here, still(here), space, R, FLOAT64), FACTOR)
        verdicts.append(entries(far, want, bound))
    return worst_of(verdicts)


def _inert(context: Context, subject: Subject) -> Iterator[Run]:
    for name, settings in () if subject.special else RULES.items():
        features = (str(settings["optimiser"]),)
        for space in subject.spaces:
            run = partial(_scaffold, context, subject, space, settings)
            yield f"scaffold.{name}.{space}", features, run
    for settings in (SGD, ADAMW):
        name = str(settings["optimiser"])
        yield f"rest.{name}", (name,), partial(_rest, context, subject, settings)
        if subject.text == "bare":
            clipped = {**settings, "clip": 0.5}
            yield f"rest.{name}.clip", (name,), partial(_rest, context, subject, clipped)
        if subject.text != "large":  # its q is far from 0
            yield f"projection.{name}", (name,), partial(_projected, context, subject, settings)


def _scaffold(context: Context, subject: Subject, space: int, settings: Settings) -> Verdict:
    """Neurons with zero rows and columns have no gradient (C10), no history, and get none."""
    shape = list(subject.net.layers[space].weight.shape)
    shape[1] = 2
    edit = Grow(space, np.zeros(shape, context.dtype))
    net, state = subject.net, started(context, subject.net, settings, subject.text)
    gradient = edit.pad(random(context, net, context.rng("gradient", subject.text)))
    padded = {name: edit.pad(tree) for name, tree in state["moments"].items()}
    grown = edit.apply(net)
    state = {"steps": state["steps"], "moments": padded}
    got, after = moved(context, grown, state, gradient, settings)
    old = edit.pad(tree_map(lambda v, _: np.ones_like(v), net.tangent()))
    verdicts = []
    for name, tree in (("layers", got.tangent()), *after.items()):
        for i, entry, (value, mask) in leaves(tree, old):
            new = np.where(mask == 0, value, 0.0)
            verdicts.append(equal(f"{name}[{i}].{entry}", new, np.zeros(new.shape)))
    return worst_of(verdicts)


def _rest(context: Context, subject: Subject, settings: Settings) -> Verdict:
    """Without gradient, history or decay nothing moves, bit by bit."""
    net = subject.net
    zero = Tangent.zeros(net)
    state = {"steps": 0, "moments": dict.fromkeys(NAMES[settings["optimiser"]], zero)}
    got, after = moved(context, net, state, zero, settings)
    kept = entries(got, net, still(net))
    return worst_of([kept, *(entries(tree, zero, still(net)) for tree in after.values())])


def _projected(context: Context, subject: Subject, settings: Settings) -> Verdict:
    """A step that would make q negative makes it 0, and moments are those of the gradient."""
    net, size = subject.net, 64.0
    zero = Tangent.zeros(net)
    steep = tree_map(lambda v, spaces: v + v.dtype.type(size * (spaces == ())), zero)
    state = {"steps": 0, "moments": dict.fromkeys(NAMES[settings["optimiser"]], zero)}
    got, after = moved(context, net, state, steep, {**settings, "rate": 0.5})
    unit = ROUNDINGS * max(context.arithmetic.store, context.arithmetic.accumulate)
    verdicts = []
    for i in range(net.depth):
        verdicts.append(equal(f"layers[{i}].q", got.layers[i].q, np.zeros(())))
        for name, tree in after.items():
            want = size if name in LINEAR else size**2
            place = f"{name}[{i}].q"
            verdicts.append(judged(place, tree.layers[i].q, np.array(want), unit * want))
    return worst_of(verdicts)


CHECKS: tuple[Check, ...] = (
    of_subjects(
        "L6.step",
        "S7.2",
        "one step of sgd and of adamw",
        ("step",),
        _together,
        profiles=1,
        judge=Check("L6.step", "S7.2", "", ("step",), (), _trials),
    ),
    of_subjects(
        "L6.commute",
        "S7.3",
        "a step of a rotated network is the rotated step (C21)",
        ("step",),
        _commute,
        ("L6.step",),
        profiles=1,
    ),
    of_subjects(
        "L6.inert",
        "S7.6",
        "a zero history stays zero (C10), and q stays at least 0 by projection",
        ("step",),
        _inert,
        ("L6.step",),
        profiles=1,
    ),
)
