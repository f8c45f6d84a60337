"""Neurons added and removed, as values: what they do to a network, a moment and a velocity.

Where an isotropic edit leaves (q, ψ) with what the neurons contribute, these leave the next bias.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.control.network import Elementwise, check_elementwise
from isoref.control.roundoff import NDArray, summed, wide
from isoref.edits import Drop, Grow
from isoref.network import Layered, Tangent
from isoref.norms import UP


@dataclass(frozen=True, eq=False)
class Add(Grow):
    """New neurons as by `edits.Grow`; their outputs φ(0) are taken off the next bias, b −= C φ(0).

    Moments gain zeros, and so do velocities, because the columns C are constants of the edit.
    """

    def apply(self, net: Any) -> Any:
        """Return the grown network."""
        check_elementwise(net)
        return _folded(super().apply(net), self.space, self.columns @ self._constants(net))

    def off(self, net: Elementwise) -> dict[int, NDArray]:
        """Return what rounding the new bias makes it off at most, for `rounding`."""
        return _off(net, self.space, self.columns, self._constants(net))

    def _constants(self, net: Elementwise) -> Array:
        return arrays.like(np.full(self.columns.shape[1], -net.phi.at_zero), net.reference)


@dataclass(frozen=True, eq=False)
class Remove(Drop):
    """Neurons removed from a hidden space as if they were the constants c: b_next += W c.

    `values` (k,) are the c; None means φ(b), the outputs of the neurons where they read zero.
    Moments lose entries as by `edits.Drop`.
    """

    def apply(self, net: Any) -> Any:
        """Return the network without the neurons, which the next bias has absorbed."""
        check_elementwise(net)
        return _folded(self._kept(net), self.space, self._leaving(net) @ self.constants(net))

    def push(self, net: Any, velocity: Tangent) -> Tangent:
        """Return the velocity with ḃ_next += Ẇ c + W ċ, where ċ = φ′(b) ḃ if c = φ(b), else 0."""
        shift = self._leaving(velocity) @ self.constants(net)
        if self.values is None:
            c_dot = net.phi.slope(self._biases(net)) * self._constants(velocity, self.space)
            shift = shift + self._leaving(net) @ c_dot
        pushed: Tangent = _folded(self._kept(velocity), self.space, shift)
        return pushed

    def spread(self, net: Any, deviation: Tangent) -> Tangent:
        """Refused: deviations model rounding of isotropic networks; see `off` and `rounding`."""
        raise TypeError(f"a Network is expected, got {type(net).__name__}; use rounding and off")

    def off(self, net: Any) -> dict[int, NDArray]:
        """Return what rounding the new bias makes it off at most, for `rounding`."""
        return _off(net, self.space, self._leaving(net), self.constants(net))

    def constants(self, net: Any) -> Array:
        """Return the c (k,)."""
        return net.phi.value(self._biases(net)) if self.values is None else self.values

    def _biases(self, tree: Layered) -> Array:
        return self._constants(tree, self.space)

    def _leaving(self, tree: Layered) -> Array:
        return self._columns(tree, self.space)


def _folded(tree: Any, space: int, shift: Array) -> Any:
    """Return the tree with `shift` added to the bias after a space."""
    layers = list(tree.layers)
    layers[space] = replace(layers[space], bias=arrays.owned(layers[space].bias + shift))
    return tree.rebuilt(layers)


def _off(net: Elementwise, space: int, columns: Array, constants: Array) -> dict[int, NDArray]:
    """Return what b + C c is off, all products and the bias rounded in one sum."""
    terms = np.abs(wide(columns)) @ np.abs(wide(constants)) + np.abs(wide(net.layers[space].bias))
    return {space: summed(columns.shape[1] + 1, terms, arrays.precision(net.reference)) * UP}
