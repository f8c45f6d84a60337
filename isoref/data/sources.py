"""Data sets by name: the embedded digits, and files that the user has; nothing is downloaded."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from isoref.data import cifar, idx
from isoref.data.digits import load_digits
from isoref.data.idx import LIMIT
from isoref.data.split import Split, split
from isoref.files import disk
from isoref.files.failure import FileError, shown

NDArray = np.ndarray[Any, Any]


class _Source(NamedTuple):
    folders: tuple[str, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]
    form: str
    home: str
    reader: Callable[..., tuple[NDArray, NDArray]]


def _idx(
    folders: tuple[str, ...], home: str, train: str = "train", test: str = "t10k", **form: Any
) -> _Source:
    def reader(paths: Sequence[str], *, limit: int) -> tuple[NDArray, NDArray]:
        return idx.read_samples(*paths, limit=limit, **form)

    def files(part: str) -> tuple[str, ...]:
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    return _Source(folders, files(train), files(test), "IDX, plain or .gz", home, reader)


def _cifar(folder: str, train: tuple[str, ...], test: str, classes: tuple[int, ...]) -> _Source:
    reader = partial(cifar.read_records, classes=classes)
    return _Source((folder, ""), train, (test,), "the binary version", cifar.HOME, reader)


_SOURCES = {
    "mnist": _idx(
        ("mnist", "MNIST/raw", ""), "yann.lecun.com/exdb/mnist or one of its mirrors", classes=10
    ),
    "fashion-mnist": _idx(
        ("fashion-mnist", "FashionMNIST/raw", ""),
        "github.com/zalandoresearch/fashion-mnist",
        classes=10,
    ),
    "emnist-letters": _idx(
        ("emnist", "EMNIST/raw", "gzip", ""),
        "www.nist.gov/itl/products-and-services/emnist-dataset",
        "emnist-letters-train",
        "emnist-letters-test",
        classes=26,
        first=1,
        transposed=True,
    ),
    "cifar10": _cifar(
        "cifar-10-batches-bin",
        tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
        "test_batch.bin",
        (10,),
    ),
    "cifar100": _cifar("cifar-100-binary", ("train.bin",), "test.bin", (20, 100)),
}

_PYTHON = {
    "cifar10": ("cifar-10-batches-py/data_batch_1", "data_batch_1"),
    "cifar100": ("cifar-100-python/train", "train"),
}

_BEGINNINGS = {
    "mnist": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
    "fashion-mnist": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
}
"""The first training labels of the two data sets whose files have the same names and sizes."""

NAMES = ("digits", *_SOURCES)
"""The data sets that `read` knows."""


def read(
    name: str, root: str | os.PathLike[str] = ".", *, seed: int = 0, limit: int = LIMIT
) -> Split:
    """Return a data set, as it is in its files, in training and held-out samples.

    Parameters
    ----------
    name : str
        One of "digits", "mnist", "fashion-mnist", "emnist-letters", "cifar10" and "cifar100".
    root : str or os.PathLike
        The folder that has the files, in itself or in a folder with a usual name, which comes
        first: mnist or MNIST/raw, fashion-mnist or FashionMNIST/raw, emnist, EMNIST/raw or gzip,
        cifar-10-batches-bin, cifar-100-binary. The digits need none.
    seed : int
        Of the random split of the digits; the others have a split of their own.
    limit : int
        Most bytes of a file, before and after decompression.

    Returns
    -------
    Split
        x (N, n) and held_x are uint8, the digits float64; labels (N,) and held_labels are int64
        and begin at 0. n is 64 for the digits, 784 or 3072: rows from the top, each from the
        left, for CIFAR all of red, then green, then blue. The files of EMNIST have the letters
        transposed and labels from 1; here they stand upright and begin at 0, as in the others.

    Raises
    ------
    FileError
        A ValueError, when a file is damaged, truncated, of another format, larger than `limit` or
        does not fit the others.
    ValueError
        When `name` is unknown or `limit` not positive.
    OSError
        When a file is missing (FileNotFoundError, which says where it was looked for) or cannot be
        read.

    Notes
    -----
    The files of MNIST and Fashion-MNIST have the same names; complete ones are told apart by their
    first labels. Any number of samples is read: subsets in the same formats too. Reading needs
    about twice the memory of the samples, a byte a pixel; `standardise` to float32 makes four
    bytes of each.

    Examples
    --------
    >>> parts = read("digits", seed=1)
    >>> parts.x.shape, parts.held_x.shape
    ((1438, 64), (359, 64))
    >>> try:
    ...     read("mnist", "no/such/folder")
    ... except FileNotFoundError as error:
    ...     print(str(error).partition(",")[0])
    [Errno 2] mnist needs train-images-idx3-ubyte
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {shown(name)}")
    if type(limit) is not int or limit < 1:
        raise ValueError(f"limit must be a positive number of bytes, got {limit!r}")
    if name == "digits":
        return split(*load_digits(), seed=seed)
    source = _SOURCES[name]
    paths = _found(name, source, disk.spelled(root))
    count = len(source.train)
    x, labels = source.reader(paths[:count], limit=limit)
    _check_beginning(name, paths[count - 1], labels)
    return Split(x, labels, *source.reader(paths[count:], limit=limit))


def _found(name: str, source: _Source, root: str) -> list[str]:
    """Return the paths of all files of a data set, in the first folder that has them all."""
    folders = [os.path.join(root, folder) if folder else root for folder in source.folders]
    files = (*source.train, *source.test)
    places = [[_place(folder, file) for file in files] for folder in folders]
    for place in places:
        if None not in place:
            return [path for path in place if path is not None]
    for path in _PYTHON.get(name, ()):
        if os.path.isfile(os.path.join(root, path)):
            raise cifar.refuse_python(os.path.join(root, path))
    nearest = min(places, key=lambda place: place.count(None))
    missing = [file for file, path in zip(files, nearest, strict=True) if path is None]
    raise FileNotFoundError(
        errno.ENOENT,
        f"{name} needs {', '.join(missing)} ({source.form}), looked for in {', '.join(folders)}; "
        f"get it from {source.home}, nothing is downloaded, and unpack it in one of the folders",
        root,
    )


def _place(folder: str, file: str) -> str | None:
    """Return the path of a file under one of its names, None if nothing has one."""
    names = [file, file.replace("-idx", ".idx")]  # some programs unpack to the second
    if not file.endswith(".bin"):
        names += [f"{name}.gz" for name in names]
    there = [path for path in (os.path.join(folder, name) for name in names) if _stands(path)]
    return next(filter(os.path.isfile, there), there[0] if there else None)


def _stands(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True  # opening it says what is wrong
    return True


def _check_beginning(name: str, path: str, labels: NDArray) -> None:
    for other, beginning in _BEGINNINGS.items():
        if name in _BEGINNINGS and name != other and labels[:10].tolist() == beginning:
            raise FileError(
                f"{path}: labels of {name} are expected, these begin as those of {other} do; "
                f"keep the files of the two in folders of their own, {name} and {other}"
            )
