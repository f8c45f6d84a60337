"""Network files: the same network back, bit for bit, and nothing else from any damaged file.

    load(path) == net        after save(net, path), on every machine

failure      the one error of a damaged file
disk         whole files: bounded reading, atomic writing
strict       strict JSON
description  profile, widths and structure in JSON
content      the arrays, checked entry by entry
archive      zip archives whose entries are stored and sound
npz          network files as NumPy archives
tensors      network files in the safetensors format
unpickle     the part of the pickle machine that builds a dict of tensors
state_dict   PyTorch state dicts
checkpoint   the keys of the original PyTorch implementation
records      other content: JSON and arrays in one strict NumPy archive
edits        edits as a file
lock         one process per directory

Only NumPy and the standard library are used, for all formats.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from isoref import arrays
from isoref.edits import Edit
from isoref.files import checkpoint, disk, npz, state_dict, tensors
from isoref.files import edits as edit_files
from isoref.files.content import host_arrays, network
from isoref.files.description import describe
from isoref.files.failure import FileError
from isoref.layer import check_values
from isoref.network import Network
from isoref.profiles import Profile, named

__all__ = [
    "save",
    "load",
    "load_checkpoint",
    "save_edits",
    "load_edits",
    "FileError",
    "LIMIT",
]

LIMIT = 2**31
"""Most bytes of a file that is read unless a `limit` is given."""

_EDITS = (".npz",)
_FORMATS = {".npz": npz, ".safetensors": tensors}
_CHECKPOINTS = (".pt", ".pth")


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Write `net` to a network file in one step: load(path) is `net`, bit for bit.

    The same network gives the same bytes, of version 1 without kernels, of version 2 with them. A
    structured weight is stored packed, another library's arrays as NumPy's. When anything fails or
    interrupts, the old file is as it was and nothing is left beside it (a killed process may leave
    one file .isoref-*.tmp).

    Parameters
    ----------
    net : Network
        float64 or float32, with one of the named profiles.
    path : str or os.PathLike
        It ends in .npz, a NumPy archive, or .safetensors.

    Raises
    ------
    TypeError
        When `net` is no network of floating-point arrays.
    ValueError
        When the suffix is unknown, a value is not finite, q is negative, or the profile or the
        structure does not fit a file.
    OSError
        When the file cannot be written: FileNotFoundError, PermissionError, IsADirectoryError …

    Notes
    -----
    A file larger than `LIMIT` needs a larger limit to be read.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from isoref import Network
    >>> net = Network.random((3, 5, 2), seed=0)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "net.npz")
    ...     save(net, path)
    ...     names = np.load(path).files
    ...     same = load(path)
    >>> names[:4]
    ['meta', 'layer.0.weight', 'layer.0.bias', 'layer.0.q']
    >>> np.array_equal(same.layers[1].weight, net.layers[1].weight)
    True
    """
    if not isinstance(net, Network):
        raise TypeError(f"net must be a Network, got {type(net).__name__}")
    path = disk.spelled(path)
    suffix = _suffix(path, tuple(_FORMATS))
    if arrays.precision(net.reference) == "exact":
        raise TypeError("net must be float64 or float32, got symbols; put numbers in their place")
    found = host_arrays(net)
    check_values(net.layers)
    disk.write(path, _FORMATS[suffix].encoded(describe(net), found))


def load(path: str | os.PathLike[str], *, limit: int = LIMIT) -> Network:
    """Return the network in a network file, or in a checkpoint (see `load_checkpoint`).

    Nothing of the file is executed. Reading allocates at most four times the size of the file and
    128 MiB, whatever the file says: its size is compared with `limit` before it is read, and names,
    dtypes and shapes with the widths and the structure before any array is made.

    Parameters
    ----------
    path : str or os.PathLike
        It ends in .npz, .safetensors, .pt or .pth.
    limit : int
        Most bytes of the file.

    Raises
    ------
    FileError
        A ValueError, when the file is damaged, newer than this version, larger than `limit` or no
        network file: an entry is missing, superfluous, repeated, compressed, encrypted, of a wrong
        dtype or shape, not finite, or a negative q.
    ValueError
        When the suffix is unknown or `limit` is not positive.
    OSError
        When the file cannot be read: FileNotFoundError, PermissionError, IsADirectoryError …

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "net.npz")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(b"something else")
    ...     try:
    ...         load(path)
    ...     except FileError as error:
    ...         print(str(error).removeprefix(path))
    : a complete zip archive is expected; it is another kind of file, truncated, or something \
follows it
    """
    path = disk.spelled(path)
    suffix = _suffix(path, (*_FORMATS, *_CHECKPOINTS))
    if suffix in _CHECKPOINTS:
        return load_checkpoint(path, limit=limit)
    return network(path, *_FORMATS[suffix].decoded(path, disk.read(path, _checked(limit))))


def load_checkpoint(
    path: str | os.PathLike[str],
    profile: Profile | str = "tanh",
    *,
    positive_intrinsic_length: bool = True,
    limit: int = LIMIT,
) -> Network:
    """Return the network of a state dict of the original PyTorch implementation.

    Its keys are `weight_parameters.<i>`, `bias_parameters.<i>`, `psi_parameters.<i-1>` and
    `activation.<i>.intrinsic_length` (log q) or `activation.<i>.o_const` (q), where activation i
    follows layer i. PyTorch is not needed, and nothing of the pickle is executed.

    Parameters
    ----------
    path : str or os.PathLike
        A file that torch.save(network.state_dict(), path) wrote, since PyTorch 1.6.
    profile : Profile or str
        The checkpoint does not tell it; the original is tanh.
    positive_intrinsic_length : bool
        As the original network was made with: False means that intrinsic_length is q itself, which
        the checkpoint does not tell.
    limit : int
        Most bytes of the file.

    Raises
    ------
    FileError
        As `load`, and when a key is unknown or missing.
    TypeError, ValueError
        When `profile` is no profile.
    OSError
        As `load`.

    Notes
    -----
    Assumed: ψ and q are zero where no layer has a key for them; where some have, all must. q is
    one number, of shape () or (1,), or any other with one element; it is computed in float64 and
    rounded to the dtype of the weights. The original takes tanh r as r below r = 1e-3, so that
    its outputs differ there by a relative 3.3e-7.

    Source: github.com/GeorgeBird1/Isotropic-Adaptive-MLPs, and claim C25.

    Examples
    --------
    >>> try:
    ...     load_checkpoint("no/such/file.pt")
    ... except FileNotFoundError as error:
    ...     print(error)
    [Errno 2] cannot read the file: No such file or directory; check the path and that its \
directory exists: 'no/such/file.pt'
    """
    profile = named(profile) if isinstance(profile, str) else profile
    if not isinstance(profile, Profile):
        raise TypeError(f"profile must be a Profile or its name, got {type(profile).__name__}")
    path = disk.spelled(path)
    found = state_dict.decoded(path, disk.read(path, _checked(limit)))
    return checkpoint.network(path, found, profile, logarithmic=positive_intrinsic_length)


def save_edits(edits: Iterable[Edit], path: str | os.PathLike[str]) -> None:
    """Write edits to a file, in one step as `save`; `load_edits` returns them for `replay`.

    replay(net, load_edits(path)) is replay(net, edits) bit for bit. The same edits give the same
    bytes.

    Parameters
    ----------
    edits : iterable of Edit
        Another library's arrays become NumPy's.
    path : str or os.PathLike
        It ends in .npz.

    Raises
    ------
    TypeError
        When something is no edit, or a field has another type than the edit says.
    ValueError
        When the suffix is unknown, an integer is negative, or a value is not finite.
    OSError
        As `save`.

    Notes
    -----
    An array keeps its order of memory if that is C or Fortran order; a view with other strides is
    stored in C order, in which a product may differ in the last bit.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from isoref.edits import Drop, Grow
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "edits.npz")
    ...     save_edits([Grow(1, np.ones((2, 1))), Drop(1, (3,))], path)
    ...     [type(edit).__name__ for edit in load_edits(path)]
    ['Grow', 'Drop']
    """
    path = disk.spelled(path)
    _suffix(path, _EDITS)
    disk.write(path, edit_files.encoded(edits))


def load_edits(path: str | os.PathLike[str], *, limit: int = LIMIT) -> tuple[Edit, ...]:
    """Return the edits in a file that `save_edits` wrote.

    Nothing of the file is executed, and reading allocates no more than `load` does. Whether the
    edits fit a network is seen when they are replayed.

    Parameters
    ----------
    path : str or os.PathLike
        It ends in .npz.
    limit : int
        Most bytes of the file.

    Raises
    ------
    FileError
        A ValueError, when the file is damaged, newer than this version, larger than `limit`, or
        holds no edits.
    ValueError, OSError
        As `load`.
    """
    path = disk.spelled(path)
    _suffix(path, _EDITS)
    return edit_files.decoded(path, disk.read(path, _checked(limit)))


def _suffix(path: str, known: tuple[str, ...]) -> str:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in known:
        raise ValueError(f"{path}: path must end in one of {', '.join(known)}, got {suffix!r}")
    return suffix


def _checked(limit: int) -> int:
    if type(limit) is not int or limit < 1:
        raise ValueError(f"limit must be a positive number of bytes, got {limit!r}")
    return limit
