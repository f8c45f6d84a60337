"""Arrays of every library from those of NumPy, and a case that is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from isoref import Bounds, Network, Tangent, bounds, rho, tree_map
from isoref.tolerance import compare_trees

Make = Callable[[Any], Any]
"""From a NumPy array to a library's."""


def numpy_array(value: Any) -> Any:
    array = np.array(value)
    array.flags.writeable = False
    return array


def strict_array(value: Any) -> Any:
    strict = pytest.importorskip("array_api_strict")
    return strict.asarray(np.array(value), device=strict.Device("device1"))


def torch_array(value: Any) -> Any:
    pytest.importorskip("array_api_compat")
    return pytest.importorskip("torch").asarray(np.array(value))


def jax_array(value: Any) -> Any:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax.numpy.asarray(np.array(value))


def cupy_array(value: Any) -> Any:
    cupy = pytest.importorskip("cupy")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no CUDA device: {error}")
    return cupy.asarray(value)


MAKERS: dict[str, Make] = {
    "numpy": numpy_array,
    "strict": strict_array,
    "torch": torch_array,
    "jax": jax_array,
    "cupy": cupy_array,
}


class Case(NamedTuple):
    """A network with every parameter in use, and the arguments of the four functions."""

    net: Network
    x: Any
    ybar: Any
    net_dot: Tangent
    x_dot: Any
    limit: Bounds


@cache
def case(profile: str, dtype: str) -> Case:
    rng = np.random.default_rng(11)
    net = Network.random((3, 5, 4, 2), profile=profile, q=0.3, dtype=dtype, seed=1)
    net = tree_map(lambda p, v, axes: p + v if axes else p, net, Tangent.random(net, seed=2))
    x, x_dot = rng.standard_normal((2, 6, 3)).astype(dtype)
    ybar = rng.standard_normal((6, 2)).astype(dtype)
    net_dot = Tangent.random(net, seed=3)
    return Case(net, x, ybar, net_dot, x_dot, bounds(net, x, ybar, net_dot, x_dot))


def converted(tree: Any, make: Make) -> Any:
    return tree_map(lambda array, _: make(array), tree)


def within(got: Any, want: Any, bound: Any) -> bool:
    """Both sides are rounded: the two bounds are added."""
    if isinstance(want, Tangent):
        return compare_trees(got, want, 2.0 * bound).rho <= 1
    return rho(got, want, 2.0 * bound) <= 1
