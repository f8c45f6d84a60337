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

READING = {"stride": 1, "padding": 0, "dilation": 1, "pool": 0}
"""How a convolution reads an image, and the least value of each."""

Spaces = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """The arrays of one generalised isotropic perceptron (specification, section 2).

    Parameters
    ----------
    weight : array of shape (n_out, n_in) or (n_out, n_in, *kernel), or Structured
        W, with one or two kernel axes for a convolution, which belong to no space. A `Structured`
        weight stores only what can be different from zero.
    bias : array of shape (n_out,)
        b.
    psi : array of shape (n_out,) or (n_out, *kernel), optional
        ψ, which multiplies the gain of the space that the layer reads, a kernel on the gain map in
        a convolution; None in the first layer.
    q : number or 0-d array, optional
        Squared intrinsic length of the space that the layer writes; None in the last layer,
        which has no activation.
    stride, padding, dilation : int
        Of a convolution: steps between windows, zeros on every side, steps between taps.
    pool : int
        Of a convolution: (h, g) is averaged over blocks of this extent first; 0 averages it over
        the whole image. Both must be averaged alike, or ψ would see another gain than h has.

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
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    pool: int = 1

    def __post_init__(self) -> None:
        arrays.precision(self.reference, "weight")
        if not 2 <= self.weight.ndim <= 4:
            raise ValueError(
                "weight must have shape (n_out, n_in), or (n_out, n_in, *kernel) with one or two "
                f"kernel axes, got {tuple(self.weight.shape)}"
            )
        if 0 in self.weight.shape:
            raise ValueError(
                f"weight must have at least one row and one column, got {self.weight.shape}"
            )
        if isinstance(self.pool, str):
            raise ValueError(
                "pool must be an integer, the extent of the blocks that are averaged, got "
                f"{self.pool!r}; maxima are taken in a basis and do not commute with the gauge, C43"
            )
        for name, least in READING.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
            if self.weight.ndim == 2 and value != getattr(Layer, name):
                raise ValueError(
                    f"{name} is for convolutions; the weight {tuple(self.weight.shape)} has no "
                    f"kernel axes, got {name}={value}"
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

    @property
    def kernel(self) -> tuple[int, ...]:
        """Extents of the kernel; () for a dense layer."""
        return tuple(self.weight.shape[2:])

    @property
    def reading(self) -> dict[str, int]:
        """How the layer reads an image: stride, padding, dilation and pool."""
        return {name: getattr(self, name) for name in READING}

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        rows, _, *kernel = shape = tuple(self.weight.shape)
        return {"weight": shape, "bias": (rows,), "psi": (rows, *kernel), "q": ()}


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
        if len(layer.kernel) != len(layers[0].kernel):
            raise ValueError(
                f"layers[{i}].weight must have {len(layers[0].kernel)} kernel axes as layers[0] "
                f"has, got shape {tuple(layer.weight.shape)}; a dense layer after a convolution is "
                "a convolution whose kernel is the image"
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
            finite = np.isfinite(host)
            if not finite.all() or (name == "q" and host < 0):
                bad = ~finite | ((host < 0) if name == "q" else False)
                index = tuple(int(k) for k in np.argwhere(bad)[0])
                expected = "finite and not negative" if name == "q" else "finite"
                raise ValueError(
                    f"layers[{i}].{name} must be {expected}, got {host[index]} at index {index}; "
                    "repair or project the value before making the network"
                )
