"""Likely causes: what one ordinary network tells of an implementation that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from isoref import Tangent
from isoref.conformance import Status
from isoref.conformance.adapter import offer
from isoref.conformance.adapters.reference import Adapter
from isoref.conformance.calls import Calls
from isoref.conformance.status import Record
from isoref.conformance.suspects import CHECKS, ORDINARY, Suspect, suspects


def found(adapter: Any, check: str, status: Status = Status.FAIL) -> list[Suspect]:
    record = Record(f"{check}.tanh.001", check, int(check[1]), "S2.1", "tanh", status)
    return suspects(Calls(offer(adapter)), [record, record])


class SquaredAgain(Adapter):
    def activation(self, profile: Any, a: Any, q: Any) -> Any:
        return super().activation(profile, a, q * q)


class Forgetful(Adapter):
    def forward(self, net: Any, x: Any) -> Any:
        return super().forward(net + -1.0 * only(net, "psi"), x)


class OfRoots(Adapter):
    def backward(self, net: Any, x: Any, ybar: Any) -> Any:
        gradient, xbar = super().backward(net, x, ybar)
        entries = [{k: getattr(layer, k) for k in AXES} for layer in gradient.layers]
        for layer, own in zip(entries, net.layers, strict=True):
            if layer["q"] is not None:
                layer["q"] = np.asarray(layer["q"] * 2 * np.sqrt(own.q))
        return entries, xbar


class Averaging(Adapter):
    def backward(self, net: Any, x: Any, ybar: Any) -> Any:
        gradient, xbar = super().backward(net, x, ybar)
        return (1 / len(x)) * gradient, xbar


class Raising(Adapter):
    def forward(self, net: Any, x: Any) -> Any:
        raise RuntimeError


class Plain(Adapter):
    """Whose networks have no ψ: what it cannot know is not asked."""

    unsupported: ClassVar = {"psi": "none"}

    def backward(self, net: Any, x: Any, ybar: Any) -> Any:
        assert not any(layer.psi.any() for layer in net.layers[1:])
        gradient, xbar = super().backward(net, x, ybar)
        return gradient + -1.0 * only(gradient, "psi"), xbar


AXES = ("weight", "bias", "psi", "q")


def only(net: Any, name: str) -> Tangent:
    """Return the tangent that has the entries of one name, and 0 else."""
    zero = Tangent.zeros(net)
    return zero.rebuilt(
        type(blank)(**{k: getattr(own if k == name else blank, k) for k in AXES})
        for blank, own in zip(zero.layers, net.layers, strict=True)
    )


CAUSES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "q²": (SquaredAgain, "L1.values", "q is squared once more"),
    "no ψ": (Forgetful, "L2.values", "ψ is left out"),
    "outputs first": (Forgetful, "L3.backward", "ψ is left out"),
    "o": (OfRoots, "L3.backward", "the gradient of q is with respect to o"),
    "mean": (Averaging, "L3.backward", "the mean over the batch instead of the sum"),
    "psi is not offered": (Plain, "L3.backward", ORDINARY),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_named_once(name: str) -> None:
    adapter, check, words = CAUSES[name]
    (suspect,) = found(adapter, check)
    assert words in suspect.sentence
    assert suspect.method == CHECKS[check]
    assert suspect.profile == "tanh"


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_right_on_an_ordinary_network_is_told(check: str) -> None:
    assert [suspect.sentence for suspect in found(Adapter, check)] == [ORDINARY]


def test_only_failures_are_asked_about() -> None:
    assert found(Raising, "L2.values") == []
    assert found(Forgetful, "L2.values", Status.ERROR) == []
    assert found(Forgetful, "L2.gauge") == []
