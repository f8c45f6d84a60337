"""What an implementation may offer to be tested: one class, every method optional.

    class Adapter:
        info = {"name": "torch-iso", "version": "0.3", "device": "cpu"}
        numerics = {"storage": "float32", "multiply": "auto"}       # auto = measured
        profiles = ("tanh",)                                        # the others are UNSUPPORTED
        unsupported = {"grow": "fixed width by design",             # a declared method or feature
                       "convolution": "dense only"}                 # is UNSUPPORTED, never a pass
        def activation(self, profile, a, q): ...                     # level 1 → (h, g)
        def forward(self, net, x): ...                               # level 2 → y
        def activation_vjp(self, profile, a, q, hbar, gbar): ...     # level 3 → (abar, qbar)
        def jvp(self, net, x, net_dot, x_dot): ...                   # level 3 → (y, ydot)
        def backward(self, net, x, ybar): ...                        # level 3 → (gradient, xbar)
        def rotate(self, net, space, R): ...                         # level 4 → net
        def diagonalise(self, net, layer, side): ...                 # level 4 → net
        def grow(self, net, space, count): ...                       # level 5 → net
        def prune(self, net, space, count): ...                      # level 5 → net
        def drop(self, net, space, neurons, values): ...             # level 5 → net
        def step(self, net, state, gradient, settings): ...          # level 6 → (net, state)
        def transport(self, net, state, space, R): ...               # level 6 → state

Arrays are NumPy's, in the dtype of storage; qbar has one entry a row. `net` is an isoref Network:
net.layers[i].weight, .bias, .psi, .q, and net.profile. What is shaped like a network may come back
as a Network, a Tangent, or a list with a dictionary or object of weight, bias, psi and q a layer.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoref.conformance.numerics import Numerics
from isoref.layer import AXES

METHODS: Mapping[str, int] = {
    "activation": 1,
    "forward": 2,
    "activation_vjp": 3,
    "jvp": 3,
    "backward": 3,
    "rotate": 4,
    "diagonalise": 4,
    "grow": 5,
    "prune": 5,
    "drop": 5,
    "step": 6,
    "transport": 6,
}
"""The level of every method."""

PROFILES = (
    "tanh",
    "atan",
    "log1p",
    "softsign",
    "squash",
    "silu",
    "gelu",
    "relu",
    "identity",
    "unit",
)
"""The profiles of the specification; relu stands for every threshold."""

FEATURES = ("psi", "convolution", "skip", "sgd", "adamw")
"""What a network or a step may have and an implementation may lack."""


def above(level: int) -> dict[str, str]:
    """Return a reason for each method above a level, for `unsupported`.

    Examples
    --------
    >>> sorted(above(5))
    ['step', 'transport']
    """
    return {name: f"levels 1 to {level} only" for name, own in METHODS.items() if own > level}


def entries(layer: Any) -> dict[str, Any]:
    """Return the arrays of a layer of an isoref Network or Tangent by name.

    Examples
    --------
    >>> from isoref import Network
    >>> first, last = Network.random((3, 2, 1), seed=0).layers
    >>> list(entries(first)), list(entries(last))
    (['weight', 'bias', 'q'], ['weight', 'bias', 'psi'])
    """
    found = {name: getattr(layer, name) for name in AXES}
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Offer:
    """An adapter and what it declares, checked."""

    adapter: Any
    info: Mapping[str, str]
    numerics: Numerics
    profiles: tuple[str, ...]
    unsupported: Mapping[str, str]

    def lacks(self, method: str) -> str | None:
        """Return why a method is declared as unsupported, or None."""
        return self.unsupported.get(method)

    def has(self, method: str) -> bool:
        """Whether the adapter has the method."""
        return callable(getattr(self.adapter, method, None))


def offer(adapter: Any) -> Offer:
    """Return what an adapter, an instance or a class without arguments, declares.

    Raises
    ------
    TypeError, ValueError
        When a declaration is not what it should be; the sentence says what it should be.
    """
    if inspect.isclass(adapter):
        try:
            adapter = adapter()
        except Exception as error:
            raise ValueError(
                f"{adapter.__name__}() raised {type(error).__name__}: {error}; an adapter is a "
                "class without arguments, or an instance"
            ) from error
    info = getattr(adapter, "info", {})
    if not isinstance(info, Mapping):
        raise TypeError(
            f'info must be a dictionary such as {{"name": …}}, got {type(info).__name__}'
        )
    found = {str(key): str(value) for key, value in info.items()}
    found.setdefault("name", type(adapter).__name__)
    numerics = Numerics.of(getattr(adapter, "numerics", {}))
    return Offer(adapter, found, numerics, _profiles(adapter), _unsupported(adapter))


def _profiles(adapter: Any) -> tuple[str, ...]:
    named = getattr(adapter, "profiles", ("tanh",))
    if not isinstance(named, tuple | list) or not all(isinstance(name, str) for name in named):
        raise TypeError(f'profiles must be a tuple of names such as ("tanh",), got {named!r}')
    unknown = sorted(set(named) - set(PROFILES))
    if unknown:
        raise ValueError(f"profiles must be among {', '.join(PROFILES)}, got {', '.join(unknown)}")
    return tuple(named)


def _unsupported(adapter: Any) -> Mapping[str, str]:
    declared = getattr(adapter, "unsupported", {})
    if not isinstance(declared, Mapping):
        raise TypeError(
            "unsupported must be a dictionary of reasons by method or feature, "
            f"got {type(declared).__name__}"
        )
    unknown = sorted(set(declared) - set(METHODS) - set(FEATURES))
    if unknown:
        raise ValueError(
            f"unsupported may name {', '.join((*METHODS, *FEATURES))}, got {', '.join(unknown)}"
        )
    both = sorted(name for name in declared if callable(getattr(adapter, name, None)))
    if both:
        raise ValueError(
            f"{both[0]} is declared as unsupported and is there; leave out one of the two"
        )
    return {str(name): str(reason) for name, reason in declared.items()}


def load_adapter(target: str) -> Any:
    """Return what `package.module:Adapter` or `path/file.py:Adapter` names.

    Raises
    ------
    ValueError
        When the text has no such form, or nothing can be imported; the sentence says why.
    """
    place, _, name = target.rpartition(":")
    if not place or not name.isidentifier():
        raise ValueError(
            f"TARGET must be package.module:Adapter or path/file.py:Adapter, got {target!r}"
        )
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else _from_module(place)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        named = [n for n, value in vars(module).items() if inspect.isclass(value)]
        raise ValueError(f"{place} has no {name}; it has the classes {', '.join(named) or 'none'}")
    return getattr(module, name)


def _from_module(name: str) -> Any:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(name)


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"adapter_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise ImportError(f"there is no file {path}")
    if str(path.parent.resolve()) not in sys.path:
        sys.path.insert(0, str(path.parent.resolve()))  # it may import what lies beside it
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
