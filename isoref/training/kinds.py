"""The two kinds of network that are trained, and the module that propagates each."""

from __future__ import annotations

from typing import Any

from isoref import control, propagation
from isoref.control import Elementwise
from isoref.network import Layered


def module_of(net: Layered) -> Any:
    """Return the module with forward, trace and backward of this kind of network."""
    return control if isinstance(net, Elementwise) else propagation
