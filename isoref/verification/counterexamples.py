"""The counterexamples of section 8, as figures, and what stays true beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoref.edits import Inputs
from isoref.layer import Layer
from isoref.network import Network
from isoref.propagation import forward
from isoref.tolerance import Worst, bounds, compare
from isoref.verification.check import Check, worst_of
from isoref.verification.images import Plan, case
from isoref.verification.surgery import Found


def checks(dtype: str) -> Iterator[Check]:
    """Yield the counterexamples of section 8, which are numbers."""
    yield worst_of(
        f"pooling.{dtype}",
        "averages turn with their positions, the maximum not: (7/5, −1/5) ≠ (4/5, 3/5) (C43)",
        [("average", _average(dtype)), ("maximum", _maximum(dtype))],
    )
    yield worst_of(
        f"border.{dtype}",
        "a constant input is no bias under zero padding: (2, 3, 2), and without it is one (C44)",
        [("padding", _border(dtype)), *_folded_inputs(dtype)],
    )
    yield worst_of(
        f"carried.{dtype}",
        "what a skip carries on is no ψ g + b: its slopes over g are 2/5 and 408/475 (C42)",
        [("softsign 1-2-2-1", worst) for worst in _carried(dtype)],
    )


TURN = np.array([[3.0, 4.0], [-4.0, 3.0]]) / 5
POSITIONS = np.array([[[1.0, 0.0], [0.0, 1.0]]])


def _average(dtype: str) -> Worst:
    """One layer that pools the positions (1, 0) and (0, 1), and turned ones, makes R (½, ½)."""
    x = np.concatenate([POSITIONS, TURN @ POSITIONS]).astype(dtype)
    net = Network([Layer(np.eye(2, dtype=dtype)[:, :, None], np.zeros(2, dtype), pool=2)])
    want = np.array([[[0.5], [0.5]], [[0.7], [-0.1]]])
    # The turned positions were rounded to the dtype: one unit more.
    return compare(forward(net, x), want, bounds(net, x).y + np.finfo(dtype).eps)


def _maximum(dtype: str) -> Worst:
    """No pooling of the library: the figures for which it has none."""
    after = TURN @ POSITIONS[0].max(axis=1)
    before = (TURN @ POSITIONS[0]).max(axis=1)
    want = np.array([1.4, -0.2, 0.8, 0.6])
    return compare(np.concatenate([after, before]), want, np.full(4, 4 * np.finfo(dtype).eps))


def _border(dtype: str) -> Worst:
    """(2, 3, 2) of the constant input (1, 1, 1), which is exact."""
    net = Network([Layer(np.ones((1, 1, 3), dtype), np.zeros(1, dtype), padding=1)])
    y = forward(net, np.ones((1, 1, 3), dtype))
    return compare(y, np.array([[[2.0, 3.0, 2.0]]]), np.zeros(()))


def _folded_inputs(dtype: str) -> Found:
    """Where nothing is padded, a constant input is folded into the bias."""
    rng = np.random.default_rng(0)
    found: Found = []
    for kernel in ((3,), (2, 2)):
        ones = tuple(1 for _ in kernel)
        layers = (4, kernel, {"stride": 2}), (2, ones, {"pool": 0})
        plan = Plan((3, *(4 for _ in kernel)), layers)
        one = case(plan, "tanh", 0.7, dtype, rng)
        x = np.array(one.x)
        x[:, 1] = constant = np.asarray(0.75, dtype)
        columns = np.zeros((4, 0, *kernel), dtype)
        folded = Inputs((1,), np.array([constant]), columns).apply(one.net)
        left = np.delete(x, 1, axis=1)
        limit = bounds(one.net, x).y + 2 * bounds(folded, left).y
        found.append((one.text, compare(forward(folded, left), forward(one.net, x), limit)))
    return found


def _carried(dtype: str) -> Iterator[Worst]:
    """The second neuron's part of y, and g_2, at x = 3, 0 and 15/2 (S8.7)."""
    below = Layer(np.array([[1], [0]], dtype), np.array([0, 4], dtype), q=0.0)
    middle = Layer(np.diag([1, 0]).astype(dtype), np.zeros(2, dtype), np.zeros(2, dtype), q=0.0)
    x = np.array([[3], [0], [7.5]], dtype)
    for read, psi, want in (
        ([0, 1], [0], [2 / 3, 4 / 5, 8 / 19]),
        ([0, 0], [1], [2 / 3, 1, 19 / 34]),
    ):
        above = Layer(np.array([read], dtype), np.zeros(1, dtype), np.array(psi, dtype))
        net = Network([below, middle, above], "softsign", skips=[(1, 2)])
        yield compare(forward(net, x)[:, 0], np.array(want), 2 * bounds(net, x).y[:, 0])
