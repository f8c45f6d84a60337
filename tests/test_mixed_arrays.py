"""Arrays of different libraries or dtypes in one call are a TypeError, whichever comes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isoref import Network, backward, forward, jvp, rotate, trace
from tests.libraries import MAKERS, Case, case, converted

MIXED: dict[str, Callable[[Case, Case], Any]] = {
    "forward": lambda a, b: forward(a.net, b.x),
    "backward by ȳ": lambda a, b: backward(a.net, trace(a.net, a.x), b.ybar),
    "backward by trace": lambda a, b: backward(a.net, trace(b.net, b.x), a.ybar),
    "jvp by x": lambda a, b: jvp(a.net, b.x, a.net_dot, a.x_dot),
    "jvp by net_dot": lambda a, b: jvp(a.net, a.x, b.net_dot, a.x_dot),
    "jvp by x_dot": lambda a, b: jvp(a.net, a.x, a.net_dot, b.x_dot),
    "rotate": lambda a, b: rotate(a.net, 1, b.net.layers[1].weight.T @ b.net.layers[1].weight),
    "network + tangent": lambda a, b: a.net + b.net_dot,
    "tangent + tangent": lambda a, b: a.net_dot + b.net_dot,
    "tangent − tangent": lambda a, b: a.net_dot - b.net_dot,
    "inner": lambda a, b: a.net_dot.inner(b.net_dot),
    "layers": lambda a, b: Network([a.net.layers[0], *b.net.layers[1:]]),
}


@pytest.mark.parametrize("operation", MIXED)
@pytest.mark.parametrize("other", ["strict", "torch", "float32"])
def test_mixed_libraries_and_dtypes_are_refused(operation: str, other: str) -> None:
    here = case("tanh", "float64")
    if other == "float32":
        there = case("tanh", "float32")
    else:
        make = MAKERS[other]
        trees = {name: converted(getattr(here, name), make) for name in ("net", "net_dot")}
        batches = {name: make(getattr(here, name)) for name in ("x", "ybar", "x_dot")}
        there = here._replace(**trees, **batches)
    for a, b in ((here, there), (there, here)):
        with pytest.raises(TypeError):
            MIXED[operation](a, b)
