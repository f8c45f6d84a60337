"""Bad input is refused by an error that names the argument and what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isoref import (
    Layer,
    Network,
    Tangent,
    backward,
    bounds,
    forward,
    jvp,
    moment,
    relu,
    rotate,
    trace,
    tree_map,
)

NET = Network.random((3, 4, 2, 2), q=0.5, seed=0)
SINGLE = Network.random((3, 4, 2, 2), q=0.5, dtype="float32", seed=0)
OTHER = Network.random((3, 5, 2, 2), seed=0)
V = Tangent.zeros(NET)
X, YBAR = np.ones((2, 3)), np.ones((2, 2))
EYE, ZERO = np.eye(2), np.zeros(2)


def layer(**entries: Any) -> Layer:
    return Layer(**{"weight": EYE, "bias": ZERO, **entries})


def network(i: int, **entries: Any) -> Network:
    """NET with entries of layer i replaced."""
    layers = list(NET.layers)
    layers[i] = replace(layers[i], **entries)
    return Network(layers)


def with_value(array: Any, value: float) -> Any:
    changed = np.array(array)
    changed[(-1,) * changed.ndim] = value
    return changed


# name of the case: (what is done, error, argument, what came or what was expected)
LAYERS: dict[str, tuple[Callable[[], Any], type[Exception], str, str]] = {
    "weight a list": (lambda: layer(weight=[[1.0]]), TypeError, "weight", "list"),
    "weight of integers": (
        lambda: layer(weight=np.eye(2, dtype=int)),
        TypeError,
        "weight",
        "int64",
    ),
    "weight float16": (lambda: layer(weight=EYE.astype("f2")), TypeError, "weight", "float16"),
    "weight complex": (lambda: layer(weight=EYE + 0j), TypeError, "weight", "complex128"),
    "weight big-endian": (lambda: layer(weight=EYE.astype(">f8")), TypeError, "weight", ">f8"),
    "weight a vector": (lambda: layer(weight=ZERO), ValueError, "weight", r"\(2,\)"),
    "weight without rows": (lambda: layer(weight=EYE[:0]), ValueError, "weight", r"\(0, 2\)"),
    "weight missing": (lambda: layer(weight=None), TypeError, "weight", "None"),
    "bias missing": (lambda: layer(bias=None), TypeError, "bias", "None"),
    "bias a list": (lambda: layer(bias=[0.0, 0.0]), TypeError, "bias", "list"),
    "bias too long": (lambda: layer(bias=np.zeros(3)), ValueError, "bias", r"\(3,\)"),
    "bias a column": (lambda: layer(bias=np.zeros((2, 1))), ValueError, "bias", r"\(2, 1\)"),
    "bias float32": (lambda: layer(bias=ZERO.astype("f")), TypeError, "bias", "float32"),
    "psi too short": (lambda: layer(psi=np.zeros(1)), ValueError, "psi", r"\(1,\)"),
    "psi a number": (lambda: layer(psi=0.0), TypeError, "psi", "float"),
    "psi float32": (lambda: layer(psi=ZERO.astype("f")), TypeError, "psi", "float32"),
    "q a vector": (lambda: layer(q=np.zeros(1)), ValueError, "q", r"\(1,\)"),
    "q a string": (lambda: layer(q="1"), TypeError, "q", "str"),
    "q float32": (lambda: layer(q=np.zeros((), "f")), TypeError, "q", "float32"),
}

NETWORKS: dict[str, tuple[Callable[[], Any], type[Exception], str, str]] = {
    "no layers": (lambda: Network([]), TypeError, "layers", r"\[\]"),
    "layers of arrays": (lambda: Network([EYE]), TypeError, "layers", "ndarray"),  # type: ignore[list-item]
    "widths differ": (
        lambda: Network([NET.layers[0], OTHER.layers[1]], "tanh"),
        ValueError,
        r"layers\[1\]",
        r"\(2, 5\)",
    ),
    "dtypes differ": (
        lambda: Network([NET.layers[0], *SINGLE.layers[1:]]),
        TypeError,
        r"layers\[1\]",
        "float32",
    ),
    "psi in the first": (
        lambda: network(0, psi=np.zeros(4)),
        ValueError,
        r"layers\[0\].psi",
        "None",
    ),
    "psi missing": (lambda: network(1, psi=None), ValueError, r"layers\[1\].psi", "None"),
    "q missing": (lambda: network(0, q=None), ValueError, r"layers\[0\].q", "None"),
    "q in the last": (lambda: network(2, q=0.0), ValueError, r"layers\[2\].q", "None"),
    "q negative": (lambda: network(0, q=-0.5), ValueError, r"layers\[0\].q", "-0.5"),
    "q NaN": (lambda: network(1, q=np.nan), ValueError, r"layers\[1\].q", "nan"),
    "q infinite": (lambda: network(1, q=np.inf), ValueError, r"layers\[1\].q", "inf"),
    "weight NaN": (
        lambda: network(1, weight=with_value(NET.layers[1].weight, np.nan)),
        ValueError,
        r"layers\[1\].weight",
        r"nan at index \(1, 3\)",
    ),
    "bias infinite": (
        lambda: network(0, bias=with_value(NET.layers[0].bias, -np.inf)),
        ValueError,
        r"layers\[0\].bias",
        r"-inf at index \(3,\)",
    ),
    "psi NaN": (
        lambda: network(2, psi=with_value(NET.layers[2].psi, np.nan)),
        ValueError,
        r"layers\[2\].psi",
        "nan",
    ),
    "step to NaN": (lambda: NET + np.nan * V, ValueError, r"layers\[0\].weight", "nan"),
    "unknown profile": (lambda: Network(NET.layers, "tahn"), ValueError, "profile", "'tahn'.*tanh"),
    "profile a number": (lambda: Network(NET.layers, 1), TypeError, "profile", "int"),  # type: ignore[arg-type]
    "profile a class": (lambda: Network(NET.layers, relu), TypeError, "profile", "ABCMeta"),  # type: ignore[arg-type]
    "profile too fine": (
        lambda: Network(SINGLE.layers, relu(1e-300)),
        ValueError,
        "tau",
        "1e-300",
    ),
    "random: one width": (lambda: Network.random((3,), seed=0), ValueError, "widths", r"\(3,\)"),
    "random: width 0": (lambda: Network.random((3, 0), seed=0), ValueError, "widths", r"\(3, 0\)"),
    "random: width 2.5": (lambda: Network.random((3, 2.5), seed=0), TypeError, "widths", "2.5"),  # type: ignore[arg-type]
    "random: init": (lambda: Network.random((1, 1), init="he", seed=0), ValueError, "init", "'he'"),
    "random: dtype": (
        lambda: Network.random((1, 1), dtype="f2", seed=0),
        ValueError,
        "dtype",
        "'f2'",
    ),
    "random: q": (lambda: Network.random((1, 1, 1), q=-1.0, seed=0), ValueError, "q", "-1.0"),
}

CALLS: dict[str, tuple[Callable[[], Any], type[Exception], str, str]] = {
    "x a list": (lambda: forward(NET, [[1.0]]), TypeError, "x", "list"),
    "x a vector": (lambda: forward(NET, X[0]), ValueError, "x", r"\(3,\)"),
    "x too wide": (lambda: forward(NET, np.ones((2, 4))), ValueError, "x", r"\(2, 4\)"),
    "x of rank 3": (lambda: trace(NET, X[None]), ValueError, "x", r"\(1, 2, 3\)"),
    "x float32": (lambda: trace(NET, X.astype("f")), TypeError, "x", "float32"),
    "ybar rows": (lambda: backward(NET, trace(NET, X), YBAR[:1]), ValueError, "ybar", "1"),
    "ybar columns": (lambda: backward(NET, trace(NET, X), X), ValueError, "ybar", r"\(2, 3\)"),
    "ybar float32": (
        lambda: backward(NET, trace(NET, X), YBAR.astype("f")),
        TypeError,
        "ybar",
        "float32",
    ),
    "trace of another": (
        lambda: backward(NET, trace(OTHER, X), YBAR),
        ValueError,
        "trace",
        r"\(3, 5, 2\)",
    ),
    "trace float32": (
        lambda: backward(NET, trace(SINGLE, X.astype("f")), YBAR),
        TypeError,
        "trace",
        "float32",
    ),
    "trace an array": (lambda: backward(NET, X, YBAR), TypeError, "trace", "ndarray"),  # type: ignore[arg-type]
    "x_dot rows": (lambda: jvp(NET, X, V, X[:1]), ValueError, "x_dot", r"\(1, 3\)"),
    "x_dot float32": (lambda: jvp(NET, X, V, X.astype("f")), TypeError, "x_dot", "float32"),
    "net_dot widths": (
        lambda: jvp(NET, X, Tangent.zeros(OTHER), X),
        ValueError,
        "net_dot",
        r"\(3, 5, 2, 2\)",
    ),
    "net_dot float32": (
        lambda: jvp(NET, X, Tangent.zeros(SINGLE), X),
        TypeError,
        "net_dot",
        "float32",
    ),
    "space 0": (lambda: rotate(NET, 0, np.eye(3)), ValueError, "space", "0"),
    "space of the output": (lambda: rotate(NET, 3, EYE), ValueError, "space", "3"),
    "moment of no space": (lambda: moment(NET, V, 3), ValueError, "space", "3"),
    "R a list": (lambda: rotate(NET, 2, [[1.0]]), TypeError, "R", "list"),
    "R of another size": (lambda: rotate(NET, 2, np.eye(4)), ValueError, "R", r"\(4, 4\)"),
    "R float32": (lambda: rotate(NET, 2, EYE.astype("f")), TypeError, "R", "float32"),
    "R not orthogonal": (lambda: rotate(NET, 2, 2 * EYE), ValueError, "R", "orthogonal"),
    "R NaN": (lambda: rotate(NET, 2, np.nan * EYE), ValueError, "R", "nan"),
    "R infinite": (lambda: rotate(NET, 2, np.full((2, 2), np.inf)), ValueError, "R", "inf|nan"),
    "sum of widths": (lambda: V + Tangent.zeros(OTHER), ValueError, "widths", r"\(3, 5, 2, 2\)"),
    "sum of dtypes": (lambda: V + Tangent.zeros(SINGLE), TypeError, "dtype", "float32"),
    "map of widths": (
        lambda: tree_map(lambda a, b, _: a, NET, OTHER),
        ValueError,
        "widths",
        r"\(3, 5, 2, 2\)",
    ),
    "bounds: x": (lambda: bounds(NET, np.ones((2, 4))), ValueError, "x", r"\(2, 4\)"),
    "bounds: ybar": (lambda: bounds(NET, X, YBAR[:1]), ValueError, "ybar", "1"),
    "bounds: net_dot alone": (lambda: bounds(NET, X, net_dot=V), ValueError, "x_dot", "net_dot"),
}

CASES = {**LAYERS, **NETWORKS, **CALLS}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_by_name(name: str) -> None:
    act, error, argument, came = CASES[name]
    with pytest.raises(error, match=rf"(?s)(^|\W){argument}(\W.*)?{came}|{came}.*(\W){argument}"):
        act()
