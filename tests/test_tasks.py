"""Tasks come and go, and the other tasks stand still (specification, section 5)."""

from __future__ import annotations

from math import fsum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoref import Network, Tangent, backward, bounds, forward, trace
from isoref.edits import Edit, Inputs, Outputs, replay
from isoref.network import leaves
from isoref.tolerance import compare
from isoref.training.adaptation import adapt
from isoref.training.losses import cross_entropy
from isoref.training.tasks import (
    Task,
    Tasks,
    append,
    assemble,
    block_cross_entropy,
    change,
    parts,
    remove,
)
from isoref.verification.cases import network

A, B, C = Task("a", 3, 2), Task("b", 2, 4), Task("c", 4, 3)

cases = st.tuples(
    st.lists(st.integers(1, 5), min_size=0, max_size=3),
    st.sampled_from(["tanh", "softsign", "gelu"]),
    st.sampled_from(["float64", "float32"]),
    st.integers(0, 1000),
)


def made(case: Any, *tasks: Task) -> tuple[Network, Tasks, Any]:
    hidden, profile, dtype, seed = case
    rng = np.random.default_rng(seed)
    every = Tasks(tasks)
    widths = (every.widths[0], *hidden, every.widths[1])
    blocks = {t.name: rng.standard_normal((5, t.inputs)).astype(dtype) for t in (A, B, C)}
    return network(widths, profile, 0.5, dtype, rng), every, blocks


def stand_still(
    names: tuple[str, ...],
    first: tuple[Network, Tasks, Any],
    second: tuple[Network, Tasks, Any],
    slack: float = 1,
) -> None:
    """Compare the outputs of tasks in two networks, each with its rounding bound."""
    outputs, limits = [], []
    for net, tasks, x in (first, second):
        found = bounds(net, x)
        if not found.observable.all():
            return
        outputs.append(parts(tasks, forward(net, x)))
        limits.append(parts(tasks, found.y))
    for name in names:
        limit = slack * (limits[0][name] + limits[1][name])
        worst = compare(outputs[1][name], outputs[0][name], limit)
        assert worst.rho <= 1, (name, worst)


def follows(net: Network, edited: Network, edits: Any) -> None:
    """The edits replay, and carry a moment: kept entries kept, new ones zero."""
    again = replay(net, edits)
    assert all(
        np.asarray(x).tobytes() == np.asarray(y).tobytes() for _, _, (x, y) in leaves(again, edited)
    )
    moment = Tangent.random(net, seed=0)
    total = squares(moment)
    for edit in edits:
        moment = edit.pad(moment)
    assert moment.widths == edited.widths
    assert squares(moment) <= total


def squares(moment: Tangent) -> float:
    """Sum without an order: rounded once."""
    return fsum(v * v for _, _, (a,) in leaves(moment) for v in np.ravel(np.asarray(a, float)))


@settings(deadline=None, max_examples=30)
@given(case=cases)
def test_appending_leaves_the_others_as_they_are(case: Any) -> None:
    net, tasks, blocks = made(case, A, B)
    wider, report = append(net, tasks, C)
    assert report.tasks == Tasks((A, B, C))
    assert [type(edit) for edit in report.edits] == [Inputs, Outputs]
    two = assemble(tasks, {"a": blocks["a"], "b": blocks["b"]})
    three = assemble(report.tasks, blocks)
    stand_still(("a", "b"), (net, tasks, two), (wider, report.tasks, three))
    assert not parts(report.tasks, forward(wider, three))["c"].any()
    follows(net, wider, report.edits)


@settings(deadline=None, max_examples=30)
@given(case=cases, name=st.sampled_from("abc"), fixed=st.booleans())
def test_removing_leaves_the_others_as_they_are(case: Any, name: str, fixed: bool) -> None:
    """At the values at which the block stays: the given ones, else 0, as in `assemble`."""
    net, tasks, blocks = made(case, A, B, C)
    values = blocks[name][0] if fixed else None
    if fixed:
        blocks[name] = np.tile(blocks[name][0], (5, 1))
    else:
        del blocks[name]
    x = assemble(tasks, blocks)
    blocks.pop(name, None)
    smaller, report = remove(net, tasks, name, values=values)
    assert name not in report.tasks.names
    y = assemble(report.tasks, blocks)
    # The sum W v goes into b_0, which is rounded: as much again as the sum of a.
    stand_still(report.tasks.names, (net, tasks, x), (smaller, report.tasks, y), slack=2)
    follows(net, smaller, report.edits)


def test_changing_begins_a_task_anew() -> None:
    net, tasks, blocks = made(([5, 4], "tanh", "float64", 0), A, B, C)
    changed, report = change(net, tasks, "b", task=Task("b", 5, 2))
    assert report.tasks == Tasks((A, C, Task("b", 5, 2)))
    follows(net, changed, report.edits)
    kept = {"a": blocks["a"], "c": blocks["c"]}
    stays = blocks["b"][0]
    at, again = change(net, tasks, "b", values=stays)
    x = assemble(tasks, kept | {"b": np.tile(stays, (5, 1))})
    y = assemble(again.tasks, kept | {"b": blocks["b"]})
    stand_still(("a", "c"), (net, tasks, x), (at, again.tasks, y), slack=2)
    x = assemble(tasks, kept)
    y = assemble(report.tasks, kept | {"b": np.ones((5, 5))})
    stand_still(("a", "c"), (net, tasks, x), (changed, report.tasks, y), slack=2)
    assert not parts(report.tasks, forward(changed, y))["b"].any()
    alone, first, _ = made(([3], "tanh", "float64", 0), A)
    anew, same = change(alone, first, "a")
    assert same.tasks == first
    assert anew.widths == alone.widths
    assert not anew.layers[0].weight.any()
    assert not anew.layers[-1].weight.any()


def test_a_new_task_learns() -> None:
    """Zero columns and rows together: the rows have a gradient, and once they move the columns."""
    net, tasks, blocks = made(([5], "tanh", "float64", 0), A)
    wider, report = append(net, tasks, B)
    x = assemble(report.tasks, {"b": blocks["b"]})
    labels = np.array([[-1, 0], [-1, 1], [-1, 2], [-1, 3], [-1, 0]])

    def gradient(n: Network) -> Tangent:
        run = trace(n, x)
        return backward(n, run, block_cross_entropy(run.y, labels, report.tasks)[1])[0]

    first = gradient(wider)
    assert not first.layers[0].weight.any()
    assert first.layers[1].weight[2:].any()
    assert not first.layers[1].weight[:2].any()
    assert gradient(wider + -0.1 * first).layers[0].weight[:, 3:].all()


def test_blocks_of_a_batch_come_apart_again() -> None:
    _, tasks, blocks = made(([], "tanh", "float64", 0), A, B, C)
    x = assemble(tasks, {"c": blocks["c"], "a": blocks["a"]})
    assert np.array_equal(x[:, list(tasks.inputs("a"))], blocks["a"])
    assert not x[:, list(tasks.inputs("b"))].any()
    assert np.array_equal(x[:, list(tasks.inputs("c"))], blocks["c"])
    y = np.arange(18.0).reshape(2, 9)
    assert np.array_equal(np.hstack([*parts(tasks, y).values()]), y)
    assert [block.shape[1] for block in parts(tasks, y).values()] == [2, 4, 3]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), dtype=st.sampled_from(["float64", "float32"]))
def test_the_loss_is_the_sum_over_the_tasks(seed: int, dtype: str) -> None:
    rng, tasks = np.random.default_rng(seed), Tasks((A, B, C))
    y = rng.standard_normal((6, 9)).astype(dtype)
    labels = np.stack([rng.integers(-1, t.outputs, 6) for t in tasks.order], axis=1)
    labels[0, 0] = 0
    weights = [2.0, 0.0, 0.5]
    for chosen in (None, weights):
        value, ybar = block_cross_entropy(y, labels, tasks, weights=chosen)
        want, cotangent = 0.0, np.zeros((6, 9))
        for t, task in enumerate(tasks.order):
            members = np.flatnonzero(labels[:, t] >= 0)
            block = np.array(tasks.outputs(task.name))
            if len(members):
                weight = 1.0 if chosen is None else chosen[t]
                loss, bar = cross_entropy(y[np.ix_(members, block)], labels[members, t])
                want += weight * float(loss)
                cotangent[np.ix_(members, block)] = weight * bar
        # Three products and their sum; the cotangents are placed by exact sums.
        u = float(np.finfo(dtype).eps) / 2
        assert abs(float(value) - want) <= 8 * u * abs(want)
        assert np.abs(ybar - cotangent).max() <= u * np.abs(cotangent).max()
        assert ybar.dtype == y.dtype


def test_tasks_and_the_controller_compose() -> None:
    """Experiment 3 in small: tasks are switched, and the controller resizes in between."""
    net, tasks, _ = made(([6, 5], "tanh", "float64", 0), A)
    edits: list[Edit] = []
    for step in range(4):
        if step == 1:
            net, report = append(net, tasks, B)
        elif step == 3:
            net, report = remove(net, tasks, "a")
        else:
            net, adapted = adapt(net, threshold=0.95, buffer=2, seed=step)
            edits += adapted.edits
            continue
        tasks = report.tasks
        edits += report.edits
    assert (net.widths[0], net.widths[-1]) == tasks.widths == (2, 4)
    start = made(([6, 5], "tanh", "float64", 0), A)[0]
    follows(start, net, edits)


NET, TWO, _ = made(([3], "tanh", "float64", 0), A, B)
ONES = np.ones((1, 6))
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "sizes": (lambda: Task("x", 0, 1), ValueError, "inputs and outputs of task 'x' must be"),
    "names": (lambda: Tasks((A, A)), ValueError, "distinct names"),
    "none": (lambda: Tasks(()), ValueError, "one task or more"),
    "fits": (lambda: append(NET, Tasks((A,)), B), ValueError, "net must have 3 inputs and 2"),
    "taken": (lambda: append(NET, TWO, B), ValueError, "distinct names"),
    "columns": (
        lambda: append(NET, TWO, C, columns=np.ones((3, 3))),
        ValueError,
        r"columns must have shape \(3, 4\)",
    ),
    "unknown": (lambda: remove(NET, TWO, "c"), ValueError, "name must be one of"),
    "unknown change": (lambda: change(NET, TWO, "c"), ValueError, "name must be one of"),
    "last": (
        lambda: remove(Network.random((3, 4, 2), seed=0), Tasks((A,)), "a"),
        ValueError,
        "another task than 'a'",
    ),
    "values": (
        lambda: remove(NET, TWO, "a", values=np.ones(2)),
        ValueError,
        r"values must have shape \(3,\)",
    ),
    "blocks": (lambda: assemble(TWO, {}), ValueError, "blocks must be of one or more"),
    "block": (lambda: assemble(TWO, {"a": ONES}), ValueError, r"block 'a' must have shape"),
    "batch": (
        lambda: assemble(TWO, {"a": np.ones((1, 3)), "b": np.ones((2, 2))}),
        ValueError,
        r"block 'b' must have shape \(1, 2\)",
    ),
    "y": (lambda: parts(TWO, np.ones((1, 5))), ValueError, "y must have 6 columns"),
    "labels": (
        lambda: block_cross_entropy(ONES, np.array([0]), TWO),
        TypeError,
        r"labels must be integers of shape \(1, 2\)",
    ),
    "label": (
        lambda: block_cross_entropy(ONES, np.array([[2, 0]]), TWO),
        ValueError,
        "labels must lie in 0 … 1",
    ),
    "weights": (
        lambda: block_cross_entropy(ONES, np.array([[0, 0]]), TWO, weights=[1.0]),
        ValueError,
        "weights must be 2 finite numbers",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    act, error, text = BAD[name]
    with pytest.raises(error, match=text):
        act()
