"""Likely causes of failures: the implementation is cross-checked on one ordinary network.

A verdict tells which number is wrong. This asks the known mistakes which of them gives all numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoref.conformance.calls import Calls, Failure, array, parts, tangent
from isoref.conformance.crosscheck import Report, crosscheck
from isoref.conformance.status import Record, Status
from isoref.layer import Layer
from isoref.network import Network, leaves
from isoref.profiles import Profile, named

NDArray = np.ndarray[Any, Any]

CHECKS = {"L1.values": "activation", "L2.values": "forward", "L3.backward": "backward"}
"""The method that is cross-checked where one of these fails."""

SAMPLES, LISTED = 24, 3
ORDINARY = "it is right on an ordinary network: the cases that fail say what they are about"


@dataclass(frozen=True)
class Suspect:
    """What one method does wrong with one profile, most likely.

    `sentence` says what was found and `change` what to do, as `isoref check` does.
    """

    method: str
    profile: str
    sentence: str
    change: str = ""


def suspects(calls: Calls, records: Sequence[Record]) -> list[Suspect]:
    """Return the likely causes of failures, at most three for each method and profile.

    Where the numbers of an ordinary network are right, that is said: what fails is then about
    something else, such as the range of the format. What no known mistake explains is left out.
    """
    failed = dict.fromkeys((r.check, r.profile) for r in records if r.status is Status.FAIL)
    found: list[Suspect] = []
    for check, name in failed:
        if check in CHECKS:
            found += _asked(calls, CHECKS[check], name)
    return found


def _asked(calls: Calls, method: str, name: str) -> list[Suspect]:
    try:
        report = METHODS[method](calls, named(name))
    except (Failure, ValueError, ArithmeticError):  # its tests tell what is wrong with the answer
        return []
    if report.holds:
        return [Suspect(method, name, ORDINARY)]
    causes = report.causes or report.gradient_causes
    told = dict.fromkeys((cause.sentence, cause.change) for cause in causes)
    return [Suspect(method, name, *words) for words in list(told)[:LISTED]]


def _activation(calls: Calls, profile: Profile) -> Report:
    """Judge h as the outputs of a network that reads a and gives h."""
    dtype = calls.offer.numerics.dtype
    eye, zero = np.eye(4, dtype=dtype), np.zeros(4, dtype)
    q = np.asarray(0.375, dtype)
    net = Network([Layer(eye, zero, q=q), Layer(eye, zero, psi=zero)], profile)
    a = np.asarray(np.random.default_rng(0).standard_normal((SAMPLES, 4)), dtype)
    h, _ = parts("activation", calls("activation", profile, a, q), 2)
    return crosscheck(net, a, array("h", h, a.shape, dtype))


def _forward(calls: Calls, profile: Profile) -> Report:
    net, x = _network(calls, profile)
    return crosscheck(net, x, _outputs(calls, net, x))


def _backward(calls: Calls, profile: Profile) -> Report:
    net, x = _network(calls, profile)
    y = _outputs(calls, net, x)
    ybar = np.asarray(np.random.default_rng(1).standard_normal(y.shape), y.dtype)
    gradient, xbar = parts("backward", calls("backward", net, x, ybar), 2)
    found = {f"layer.{i}.{k}": v for i, k, (v,) in leaves(tangent("gradient", gradient, net))}
    found["xbar"] = array("xbar", xbar, x.shape, x.dtype)
    if "psi" in calls.offer.unsupported:
        found = {k: v for k, v in found.items() if not k.endswith("psi")}
    return crosscheck(net, x, y, gradients=found, ybar=ybar)


def _outputs(calls: Calls, net: Network, x: NDArray) -> NDArray:
    return array("y", calls("forward", net, x), (len(x), net.widths[-1]), x.dtype)


def _network(calls: Calls, profile: Profile) -> tuple[Network, NDArray]:
    """Return a dense network with biases, q and, if it is offered, ψ; and inputs."""
    dtype, rng = calls.offer.numerics.dtype, np.random.default_rng(0)
    gained = 0.0 if "psi" in calls.offer.unsupported else 0.5
    layers = []
    for i, (n, m) in enumerate(((4, 5), (5, 5), (5, 3))):
        entries: dict[str, Any] = {
            "weight": rng.standard_normal((m, n)) / 2,
            "bias": rng.standard_normal(m) / 2,
        }
        if i > 0:
            entries["psi"] = gained * rng.standard_normal(m)
        if i < 2:
            entries["q"] = np.asarray(0.375 / (i + 1))
        entries = {name: value.astype(dtype) for name, value in entries.items()}
        layers.append(Layer(**entries))
    return Network(layers, profile), rng.standard_normal((SAMPLES, 4)).astype(dtype)


METHODS = {"activation": _activation, "forward": _forward, "backward": _backward}
