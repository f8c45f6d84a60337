"""State dicts that PyTorch saved, read without PyTorch and without executing the pickle in them.

`torch.save` writes a zip archive: the numbers of every tensor, and a pickle that says which tensor
has which name.
"""

from __future__ import annotations

from math import prod

import numpy as np

from isoref import arrays
from isoref.files.archive import members
from isoref.files.content import DTYPES, NDArray
from isoref.files.failure import FileError, shown
from isoref.files.unpickle import LONGEST, Tensor, Unexpected, interpreted


def decoded(path: str, data: bytes) -> dict[str, NDArray]:
    """Return the float tensors of a state dict by their names, on the host.

    Raises
    ------
    FileError
        When the archive is damaged or holds anything but a dict of float32 or float64 tensors.
    """
    found = members(path, data)
    pickles = [name for name in found if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise FileError(f"{path}: an archive with one data.pkl, as torch.save writes, is expected")
    prefix = pickles[0].removesuffix("data.pkl")
    if bytes(found.get(f"{prefix}byteorder", b"little")) != b"little":
        raise FileError(f"{path}: byteorder must be little; save it again on such a machine")
    named = _tensors(path, bytes(found[pickles[0]][: LONGEST + 1]))
    needed = sum(prod(tensor.shape) * int(DTYPES[tensor.dtype][2:]) for tensor in named.values())
    if needed > len(data):
        raise FileError(f"{path}: tensors of at most {len(data)} bytes are expected, got {needed}")
    return {
        name: _array(f"{path}: {shown(name)}", tensor, found.get(f"{prefix}data/{tensor.key}"))
        for name, tensor in named.items()
    }


def _array(where: str, tensor: Tensor, buffer: memoryview | None) -> NDArray:
    dtype = np.dtype(DTYPES[tensor.dtype])
    if buffer is None or len(buffer) != tensor.count * dtype.itemsize:
        raise FileError(f"{where} must have its {tensor.count} numbers in the archive")
    if 0 in tensor.shape:
        raise FileError(f"{where} must have no empty axis, got shape {tensor.shape}")
    steps = zip(tensor.shape, tensor.strides, strict=True)
    if tensor.offset + sum((size - 1) * stride for size, stride in steps) >= tensor.count:
        raise FileError(f"{where} must lie within its {tensor.count} numbers")
    flat = np.frombuffer(buffer, dtype)[tensor.offset :]
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False)
    return np.asarray(arrays.owned(np.array(view, tensor.dtype, order="C")))


def _tensors(path: str, code: bytes) -> dict[str, Tensor]:
    where = f"{path}: data.pkl"
    if len(code) > LONGEST:
        raise FileError(f"{where} must have at most {LONGEST} bytes")
    try:
        result = interpreted(code)
    except Unexpected as error:
        raise FileError(
            f"{where} must be a plain dict of float32 or float64 tensors: {error}; "
            "write it with torch.save(network.state_dict(), path)"
        ) from error
    if not isinstance(result, dict) or not all(isinstance(v, Tensor) for v in result.values()):
        raise FileError(f"{where} must be a dict of tensors; take the state dict out of it")
    return result
