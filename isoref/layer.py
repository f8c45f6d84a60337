"""The arrays of one perceptron, the space that each axis belongs to, and what must hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.structure import Structured, stored

AXES: dict[str, tuple[str, ...]] = {
    "weight": ("write", "read"),
    "bias": ("write",),
    "psi": ("write",),
    "q": (),
}
"""The space of each axis: layer i reads space i and writes space i + 1."""

Spaces = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """The arrays of one generalised isotropic perceptron (specification, section 2).

    Parameters
    ----------
    weight : array of shape (n_out, n_in), or Structured
        W; a `Structured` weight stores only what can be different from zero.
    bias : array of shape (n_out,)
        b.
    psi : array of shape (n_out,), optional
        ψ, which multiplies the gain of the space that the layer reads; None in the first layer.
    q : number or 0-d array, optional
        Squared intrinsic length of the space that the layer writes; None in the last layer,
        which has no activation.

    Raises
    ------
    TypeError, ValueError
        When an entry is no float64 or float32 array, the entries differ in library or dtype,
        or a shape does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> Layer(np.eye(2), np.zeros(2), q=0.0).weight.shape
    (2, 2)
    """

    weight: Array
    bias: Array
    psi: Array = None
    q: Array = None

    def __post_init__(self) -> None:
        arrays.precision(self.reference, "weight")
        if self.weight.ndim != 2:
            raise ValueError(f"weight must have shape (n_out, n_in), got {self.weight.shape}")
        if 0 in self.weight.shape:
            raise ValueError(
                f"weight must have at least one row and one column, got {self.weight.shape}"
            )
        if isinstance(self.q, int | float | np.generic):
            object.__setattr__(self, "q", arrays.like(float(self.q), self.reference))
        for name, shape in self._shapes().items():
            array = getattr(self, name)
            if isinstance(array, Structured) or (array is None and name in ("psi", "q")):
                continue
            arrays.check_alike(name, array, self.reference, "weight")
            if tuple(array.shape) != shape:
                raise ValueError(
                    f"{name} must have shape {shape} to fit weight {tuple(self.weight.shape)}, "
                    f"got {tuple(array.shape)}"
                )
            object.__setattr__(self, name, arrays.frozen(array))

    def __setstate__(self, state: dict[str, Array]) -> None:
        # A pickle or deep copy of a NumPy array is writeable again.
        for name, array in state.items():
            object.__setattr__(self, name, arrays.frozen(array))

    @property
    def reference(self) -> Array:
        """An array that tells the library, dtype and device of the layer."""
        return stored(self.weight)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        rows, columns = self.weight.shape
        return {"weight": (rows, columns), "bias": (rows,), "psi": (rows,), "q": ()}


def check_structure(layers: tuple[Layer, ...]) -> None:
    """Raise unless the layers fit together and have ψ and q exactly where they belong."""
    if not layers or not all(isinstance(layer, Layer) for layer in layers):
        raise TypeError(f"layers must be one or more Layer values, got {[*map(type, layers)]}")
    last = len(layers) - 1
    for i, layer in enumerate(layers):
        arrays.namespace(layers[0].reference, layer.reference)
        if layer.weight.dtype != layers[0].weight.dtype:
            raise TypeError(
                f"layers[{i}] must have the dtype of layers[0], {layers[0].weight.dtype}, "
                f"got {layer.weight.dtype}; convert one of them"
            )
        if i > 0 and layer.weight.shape[1] != layers[i - 1].weight.shape[0]:
            raise ValueError(
                f"layers[{i}].weight must read the {layers[i - 1].weight.shape[0]} neurons that "
                f"layers[{i - 1}] writes, got shape {tuple(layer.weight.shape)}"
            )
        _check_presence(f"layers[{i}].psi", layer.psi, i > 0, "the first layer", "zeros (n_out,)")
        _check_presence(f"layers[{i}].q", layer.q, i < last, "the last layer", "q=0.0")


def _check_presence(name: str, value: Array, wanted: bool, exception: str, default: str) -> None:
    if wanted and value is None:
        raise ValueError(f"{name} must be given in all but {exception}, got None; pass {default}")
    if not wanted and value is not None:
        raise ValueError(f"{name} must be None in {exception}, got an array; leave it out")


def check_values(layers: tuple[Layer, ...]) -> None:
    """Raise unless every entry is finite and every q ≥ 0; the one transfer to the host."""
    for i, layer in enumerate(layers):
        for name in AXES:
            array = getattr(layer, name)
            if array is None:
                continue
            host = arrays.to_numpy(stored(array))
            bad = ~np.isfinite(host) | ((host < 0) if name == "q" else False)
            if bad.any():
                index = tuple(int(k) for k in np.argwhere(bad)[0])
                expected = "finite and not negative" if name == "q" else "finite"
                raise ValueError(
                    f"layers[{i}].{name} must be {expected}, got {host[index]} at index {index}; "
                    "repair or project the value before making the network"
                )
