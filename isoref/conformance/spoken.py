"""What goes to a program in another language and what comes back, as JSON.

array       {"shape": [2, 3], "data": [1.0, …]}, row by row; without axes a number
number      in decimal, at most 17 significant digits; "NaN", "Infinity", "-Infinity"; in answers
            also hexadecimal texts such as "0x1.8p+1"
profile     "profile": "tanh"; relu has its threshold beside it, "tau": 0.5
network     {"profile": "tanh", "layers": [{"weight": …, "bias": …, …}, …], "skips": []}
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, prod
from typing import Any

import numpy as np

from isoref.conformance.calls import Failure
from isoref.conformance.status import Status
from isoref.layer import AXES, Layer
from isoref.network import Layered, Network
from isoref.profiles import Profile
from isoref.structure import dense

NDArray = np.ndarray[Any, Any]

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "activation": ("profile", "a", "q"),
    "forward": ("net", "x"),
    "activation_vjp": ("profile", "a", "q", "hbar", "gbar"),
    "jvp": ("net", "x", "net_dot", "x_dot"),
    "backward": ("net", "x", "ybar"),
    "rotate": ("net", "space", "R"),
    "diagonalise": ("net", "layer", "side"),
    "grow": ("net", "space", "count"),
    "prune": ("net", "space", "count"),
    "drop": ("net", "space", "neurons", "values"),
    "step": ("net", "state", "gradient", "settings"),
    "transport": ("net", "state", "space", "R"),
}
"""The names of the arguments of every method."""

RESULTS: Mapping[str, tuple[str, ...]] = {
    "activation": ("h", "g"),
    "forward": ("y",),
    "activation_vjp": ("abar", "qbar"),
    "jvp": ("y", "ydot"),
    "backward": ("gradient", "xbar"),
    "rotate": ("net",),
    "diagonalise": ("net",),
    "grow": ("net",),
    "prune": ("net",),
    "drop": ("net",),
    "step": ("net", "state"),
    "transport": ("state",),
}
"""The names of what every method returns."""

SPELLED = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": -float("inf")}
"""What JSON has no numbers for."""


def encoded(value: Any) -> Any:
    """Return a value, or arguments by name, as JSON holds it.

    Examples
    --------
    >>> encoded({"a": np.array([[1.5, np.inf]]), "q": np.array(0.25)})
    {'a': {'shape': [1, 2], 'data': [1.5, 'Infinity']}, 'q': 0.25}
    """
    if isinstance(value, np.ndarray):
        numbers = [encoded(number) for number in value.ravel().tolist()]
        return {"shape": list(value.shape), "data": numbers} if value.ndim else numbers[0]
    if isinstance(value, np.generic):
        return encoded(value.item())
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Layered):
        profile = _profile(value.profile) if isinstance(value, Network) else {}
        layers = [_layer(layer) for layer in value.layers]
        return {**profile, "layers": layers, "skips": [list(skip) for skip in value.skips]}
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for name, part in value.items():
            found |= _profile(part) if isinstance(part, Profile) else {name: encoded(part)}
        return found
    return [encoded(part) for part in value] if isinstance(value, list | tuple) else value


def _profile(profile: Profile) -> dict[str, Any]:
    tau = {"tau": profile.tau} if hasattr(profile, "tau") else {}
    return {"profile": profile.name.partition("(")[0], **tau}


def _layer(layer: Layer) -> dict[str, Any]:
    arrays = {name: getattr(layer, name) for name in AXES}
    entries = {k: None if v is None else encoded(dense(v)) for k, v in arrays.items()}
    return {**entries, **(layer.reading if layer.kernel else {})}


def result(method: str, found: Mapping[str, Any], storage: str) -> Any:
    """Return what a method must return, from the object of an answer.

    Raises
    ------
    Failure
        When a part is missing, or is not what its name says.
    """
    missing = [name for name in RESULTS[method] if name not in found]
    if missing:
        raise Failure(Status.ERROR, f"{method}: the result must have {missing[0]}")
    parts = tuple(_part(name, found[name], storage) for name in RESULTS[method])
    return parts if len(parts) > 1 else parts[0]


def _part(name: str, value: Any, storage: str) -> Any:
    if name in ("net", "gradient"):
        return _tree(name, value, storage)
    if name == "state":
        moments = value.get("moments") if isinstance(value, dict) else None
        if not isinstance(moments, dict):
            raise _wrong(name, '{"steps": …, "moments": {…}}', value)
        trees = {key: _tree(f"state {key}", tree, storage) for key, tree in moments.items()}
        return {**value, "moments": trees}
    return _array(name, value, storage)


def _tree(name: str, value: Any, storage: str) -> list[dict[str, NDArray]]:
    layers = value.get("layers") if isinstance(value, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise _wrong(name, '{"layers": [{"weight": …, "bias": …}, …]}', value)
    return [
        {
            key: _array(f"{name}[{i}].{key}", layer[key], storage)
            for key in AXES
            if layer.get(key) is not None
        }
        for i, layer in enumerate(layers)
    ]


def _array(name: str, value: Any, storage: str) -> NDArray:
    number = not isinstance(value, dict | list)
    given = {"shape": [], "data": [value]} if number else value
    shape, data = (given.get("shape"), given.get("data")) if isinstance(given, dict) else (0, 0)
    if not (
        isinstance(shape, list)
        and all(type(n) is int and n >= 0 for n in shape)
        and isinstance(data, list)
        and len(data) == prod(shape)
    ):
        raise _wrong(name, '{"shape": [2, 3], "data": [six numbers]}', value)
    numbers = [_number(name, number) for number in data]
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).reshape(shape).astype(storage)


def _number(name: str, value: Any) -> float:
    try:
        if type(value) in (int, float):
            return float(value)
        if isinstance(value, str):
            return float.fromhex(value) if "0x" in value else SPELLED[value]
    except (ValueError, KeyError, OverflowError):
        pass
    raise _wrong(name, 'made of numbers, "NaN", "Infinity" or hexadecimal ones', value)


def _wrong(name: str, wanted: str, value: Any) -> Failure:
    text = "null" if value is None else repr(value)
    return Failure(
        Status.ERROR, f"{name} must be {wanted}, got {text if len(text) <= 60 else text[:57] + '…'}"
    )
