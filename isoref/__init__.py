"""Numerically verified ground truth for isotropic neural networks.

A claim and its check: rotating a hidden space changes no output (C06), within a derived bound.

>>> import numpy as np
>>> from isoref import Network, bounds, forward, haar, rho, rotate
>>> net = Network.random((3, 5, 4, 2), profile="tanh", seed=0)
>>> turned = rotate(net, 1, haar(5, seed=1))
>>> x = np.random.default_rng(2).standard_normal((10, 3))
>>> got, want = forward(turned, x), forward(net, x)
>>> rho(got, want, bounds(net, x).y + bounds(turned, x).y) <= 1
True
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoref.names import *  # noqa: F403
    from isoref.names import __all__ as __all__

__version__ = "0.1.0"

if not TYPE_CHECKING:  # a module with __getattr__ has every name, to type checkers

    def __getattr__(name: str) -> Any:
        """Import what is asked for, and not before: what needs no arrays starts at once."""
        if find_spec(f"isoref.{name}"):
            return import_module(f"isoref.{name}")
        names = import_module("isoref.names")
        if name not in ("__all__", *names.__all__):
            raise AttributeError(f"module 'isoref' has no attribute {name!r}")
        globals()[name] = getattr(names, name)
        return globals()[name]

    def __dir__() -> list[str]:
        """Return what can be imported, for completion."""
        return sorted({*globals(), *import_module("isoref.names").__all__})
