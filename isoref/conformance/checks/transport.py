"""Level 6: what rotations do to the state of an optimiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import cos, sin, sqrt
from typing import Any

import numpy as np

from isoref.conformance.calls import Refusal
from isoref.conformance.checks.gauge import drawn, near, operands, signed, wide_
from isoref.conformance.edited import entries, scaled, still, turned, wide
from isoref.conformance.judge import Verdict, failed, worst_of
from isoref.conformance.plan import Check, Context, Trial
from isoref.conformance.states import (
    ADAMW,
    LINEAR,
    NAMES,
    SGD,
    Moments,
    expected,
    moments,
    names_of,
    started,
    state_of,
)
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.gauge import acted
from isoref.network import Network, tree_map
from isoref.profiles import Profile
from isoref.tolerance import FACTOR, FLOAT64

NDArray = np.ndarray[Any, Any]


def carried(
    context: Context, net: Network, state: Mapping[str, Any], space: int, R: NDArray
) -> Moments:
    """Return the moments of the implementation after a rotation of the network `net`."""
    after = context.calls("transport", net, state, space, R.astype(context.dtype))
    return moments("transport", after, net, tuple(state["moments"]), state["steps"])


def _transports(context: Context) -> Iterator[Trial]:
    for case in context.corpus.cases.get("L6.transport", ()):
        if case.fits(context.dtype):
            features = (*case.features, *_rule(names_of(case)))
            text = case.id.removeprefix("L6.transport.")
            profile = context.profiles[0]  # a transport depends on none
            yield Trial(
                text, profile.name, features, partial(_transport, case=case, profile=profile)
            )


def _rule(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(rule for rule, own in NAMES.items() if set(own) & set(names))


def _transport(context: Context, case: Case, profile: Profile) -> Verdict:
    net, space = replace(case.network(context.dtype), profile=profile), int(case.settings["space"])
    state = state_of(context, case, int(case.settings.get("steps", 1)))
    return expected(
        context, case, carried(context, net, state, space, case.array("R", context.dtype))
    )


def _moments(context: Context, subject: Subject) -> Iterator[Run]:
    for space in subject.spaces:
        turns = {"velocity": drawn(context, subject, space, "transport")}
        if subject.net.widths[space] > 1:
            turns["near"] = near(context, subject, space)
        for name, R in turns.items():
            yield f"{name}.{space}", ("sgd",), partial(_first, context, subject, space, R)
    for space in (*subject.spaces, *subject.others):
        yield f"squares.{space}", ("adamw",), partial(_second, context, subject, space)


def _first(context: Context, subject: Subject, space: int, R: NDArray) -> Verdict:
    net = subject.net
    state = started(context, net, SGD, subject.text)
    before = state["moments"]["velocity"]
    if subject.text == "small":  # as its gradients may be
        before = tree_map(lambda v, _: v * v.dtype.type(2.0**-40), before)
        state["moments"] = {"velocity": before}
    after = carried(context, net, state, space, R)["velocity"]
    bound = still(net)
    for arithmetic in (context.arithmetic, FLOAT64):
        bound = bound + turned(before, still(net), space, R, arithmetic)
    return entries(after, acted(wide(before), space, wide_(R)), scaled(bound, FACTOR))


def _second(context: Context, subject: Subject, space: int) -> Verdict:
    """A signed permutation moves second moments and changes no sign of them."""
    state = started(context, subject.net, ADAMW, subject.text)
    R = signed(context, subject, space)
    after = carried(context, subject.net, state, space, R)
    verdicts, rounding = [], operands(context.arithmetic)
    for name, before in state["moments"].items():
        want = acted(before, space, R if name in LINEAR else np.abs(R))
        bound = tree_map(lambda v, _: rounding * np.abs(v.astype(float)), want)
        verdicts.append(entries(after[name], want, bound))
    return worst_of(verdicts)


def _refuse(context: Context, subject: Subject) -> Iterator[Run]:
    for space in () if subject.special else subject.spaces:
        if subject.net.widths[space] == 1:  # all its rotations are signs
            continue
        turns = {f"{space}": drawn(context, subject, space, "refuse")}
        for name, R in _nearly(context, subject, space):
            turns[f"{name}.{space}"] = R
        for name, R in turns.items():
            yield name, ("adamw",), partial(_refused, context, subject, space, R)


def _nearly(context: Context, subject: Subject, space: int) -> Iterator[tuple[str, NDArray]]:
    """Yield what may pass for a signed permutation: most rows are, or the matrix is symmetric."""
    n = subject.net.widths[space]
    first, last, angle = np.eye(n), np.eye(n), 16 * sqrt(np.finfo(context.dtype).eps)
    last[-2:, -2:] = np.array([[3, 4], [-4, 3]]) / 5
    yield "ends", last
    first[:2, :2] = [[cos(angle), sin(angle)], [-sin(angle), cos(angle)]]
    yield "small", first
    yield "near", near(context, subject, space)
    yield "plane", signed(context, subject, space) @ last[::-1, ::-1]
    if n > 2:  # at 2 it exchanges the neurons
        yield "mirror", np.eye(n) - 2 / n * np.ones((n, n))


def _refused(context: Context, subject: Subject, space: int, R: NDArray) -> Verdict:
    """What refuses everything shows nothing: signed permutations must be followed first."""
    state = started(context, subject.net, ADAMW, subject.text)
    for allowed in (signed(context, subject, space), np.eye(len(R))):
        carried(context, subject.net, state, space, allowed)
    try:
        carried(context, subject.net, state, space, R)
    except Refusal:
        return Verdict()
    return failed(
        "transport must raise NotImplementedError or ValueError where a second moment of entries "
        "meets a rotation that is no signed permutation: no map of it is a law (C32)"
    )


CHECKS: tuple[Check, ...] = (
    of_subjects(
        "L6.transport",
        "S7.7",
        "first moments rotate as gradients do; signed permutations move second ones (C21)",
        ("transport",),
        _moments,
        profiles=1,
        judge=Check("L6.transport", "S7.7", "", ("transport",), (), _transports),
    ),
    of_subjects(
        "L6.refuse",
        "S7.5",
        "second moments of entries have no transport through other rotations (C22, C32)",
        ("transport",),
        _refuse,
        ("L6.transport",),
        profiles=1,
    ),
)
