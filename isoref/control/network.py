"""Elementwise activations, and the network that has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import ClassVar, NamedTuple, Never

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.layer import Layer, check_values
from isoref.network import Layered, Network, Tangent
from isoref.structure import stored


class Function(NamedTuple):
    """φ and φ′ as functions of a, φ(0), the Lipschitz constant, and what φ is off, in ulp."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    at_zero: float
    Lip: float
    ulps: float


def _relu(a: Array) -> Array:
    xp = arrays.namespace(a)
    return xp.maximum(a, xp.zeros_like(a))


def _relu_slope(a: Array) -> Array:
    """Return 1 where a > 0, and else 0, at the kink too."""
    xp = arrays.namespace(a)
    return xp.where(a > 0, xp.ones_like(a), xp.zeros_like(a))


def _sigmoid(a: Array) -> Array:
    e = _decay(a)
    xp = arrays.namespace(a)
    return xp.where(a >= 0, xp.ones_like(e), e) / (1.0 + e)


def _sigmoid_slope(a: Array) -> Array:
    return _bell(_decay(a))


def _tanh_slope(a: Array) -> Array:
    """Return 1 − tanh² a, four times the sigmoid's slope at 2a, without cancellation."""
    e = _decay(a)
    return 4.0 * _bell(e * e)


def _decay(a: Array) -> Array:
    """Return exp(−|a|), which never overflows."""
    xp = arrays.namespace(a)
    return xp.exp(-xp.abs(a))


def _bell(e: Array) -> Array:
    return e / ((1.0 + e) * (1.0 + e))


# Of libraries' tanh and exp 4 ulp are assumed; the sigmoid's sum and quotient round once more each.
FUNCTIONS: dict[str, Function] = {
    "tanh": Function(lambda a: arrays.namespace(a).tanh(a), _tanh_slope, 0.0, 1.0, 4.0),
    "relu": Function(_relu, _relu_slope, 0.0, 1.0, 0.0),
    "sigmoid": Function(_sigmoid, _sigmoid_slope, 0.5, 0.25, 5.0),
}


@dataclass(frozen=True, eq=False, init=False)
class Elementwise(Layered):
    """A network with an elementwise activation, an immutable value; the control of `Network`.

    Parameters
    ----------
    layers : iterable of Layer
        As for `Network`, with ψ = 0 and q = 0.
    function : {"tanh", "relu", "sigmoid"}
        φ. Of these only the sigmoid has φ(0) ≠ 0.

    Raises
    ------
    TypeError, ValueError
        As `Network`; when ψ or q is not zero, or the function is unknown.

    Examples
    --------
    >>> net = Elementwise.random((3, 5, 2), seed=0)
    >>> net.widths, net.depth, net.parameter_count
    ((3, 5, 2), 1, 32)
    """

    no_gauge: ClassVar[str] = (
        ": an elementwise activation commutes with signed permutations only (C03), so there is no "
        "gauge to choose; use forward, trace, backward, jvp, grow and remove of isoref.control"
    )

    layers: tuple[Layer, ...]
    function: str

    def __init__(self, layers: Iterable[Layer], function: str = "tanh") -> None:
        self._set_layers(layers)
        if function not in tuple(FUNCTIONS):  # a tuple, because a list has no hash to look up
            raise ValueError(f"function must be one of {', '.join(FUNCTIONS)}, got {function!r}")
        object.__setattr__(self, "function", function)
        if self.axes:
            raise ValueError(
                "layers must be dense in an Elementwise, got kernels of shape "
                f"{self.layers[0].kernel}; convolutions are for a Network"
            )
        check_values(self.layers)
        for i, layer in enumerate(self.layers):
            for name, missing in (("psi", "gain for ψ to multiply"), ("q", "radius for q to join")):
                array = getattr(layer, name)
                if array is not None and np.any(arrays.to_numpy(array)):
                    raise ValueError(
                        f"layers[{i}].{name} must be zero in an Elementwise, got up to "
                        f"{np.max(np.abs(arrays.to_numpy(array))):.3g}: an elementwise activation "
                        f"has no {missing}; pass zeros, or use a Network"
                    )

    @staticmethod
    def random(
        widths: Iterable[int],
        *,
        function: str = "tanh",
        init: str = "orthogonal",
        dtype: str = "float64",
        seed: int | np.random.Generator,
    ) -> Elementwise:
        """Return a network with the weights that `Network.random` draws from this seed, and b = 0.

        Examples
        --------
        >>> pair = [kind.random((3, 5, 2), seed=0) for kind in (Elementwise, Network)]
        >>> bool((pair[0].layers[1].weight == pair[1].layers[1].weight).all())
        True
        """
        return Elementwise(
            Network.random(widths, init=init, dtype=dtype, seed=seed).layers, function
        )

    @property
    def phi(self) -> Function:
        """φ and what is known of it."""
        return FUNCTIONS[self.function]

    @property
    def parameter_count(self) -> int:
        """Number of stored entries of every weight and bias; ψ and q are no parameters here."""
        found = (stored(array) for layer in self.layers for array in (layer.weight, layer.bias))
        return sum(prod(array.shape) for array in found)

    @property
    def profile(self) -> Never:
        """Refused: whatever asks for a profile would take the network for an isotropic one."""
        raise TypeError(f"a Network is expected, got Elementwise{self.no_gauge}")

    def __add__(self, tangent: Tangent) -> Elementwise:
        if not isinstance(tangent, Tangent):
            return NotImplemented
        return self.rebuilt((Tangent(self.layers) + tangent).layers)


def check_elementwise(net: object) -> None:
    """Raise unless `net` is an Elementwise: a Network looks alike but has another activation."""
    if not isinstance(net, Elementwise):
        raise TypeError(
            f"net must be an Elementwise, got {type(net).__name__}; "
            "the functions of isoref itself are for a Network"
        )
