"""The binary version of CIFAR-10 and CIFAR-100: records of labels and 3 x 32 x 32 bytes.

    CIFAR-10     label (10 classes)                            3072 bytes
    CIFAR-100    coarse label (20)    fine label (100)         3072 bytes

The bytes of an image are 1024 of red, 1024 of green and 1024 of blue, each row by row.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from isoref.data.idx import LIMIT
from isoref.files import disk
from isoref.files.failure import FileError

NDArray = np.ndarray[Any, Any]

HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
FEATURES = 3072

_PICKLES = (b"\x80", b"(")
"""What a pickle of a dict begins with; as a label, both are out of range."""


def read_records(
    paths: Sequence[str | os.PathLike[str]], classes: tuple[int, ...], *, limit: int = LIMIT
) -> tuple[NDArray, NDArray]:
    """Return the images of all files as uint8 (N, 3072) and their last labels as int64 (N,).

    Parameters
    ----------
    paths : sequence of str or os.PathLike
        Files whose records follow each other in this order.
    classes : tuple of int
        The number of classes of each label of a record: (10,) for CIFAR-10, (20, 100) for
        CIFAR-100, whose last label is the fine one.
    limit : int
        Most bytes of a file.

    Raises
    ------
    FileError
        A ValueError, when a file is no whole number of records, has a label out of range, is the
        Python version or larger than `limit`.
    OSError
        When a file cannot be read: FileNotFoundError, PermissionError, IsADirectoryError …

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "train.bin")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(bytes([4, 30]) + bytes(3072) + bytes([1, 99]) + bytes(3072))
    ...     x, labels = read_records([path], (20, 100))
    >>> x.shape, labels
    ((2, 3072), array([30, 99]))
    """
    found = [_records(disk.spelled(path), classes, limit) for path in paths]
    x = np.concatenate([records[:, len(classes) :] for records in found])
    labels = np.concatenate([records[:, len(classes) - 1] for records in found])
    return x, labels.astype(np.int64)


def refuse_python(path: str) -> FileError:
    """Return the error that explains why the Python version is not read."""
    return FileError(
        f"{path}: the binary version of CIFAR is expected, this is the Python version, a pickle, "
        f"which can run any code and is never read; take the binary version from {HOME}"
    )


def _records(path: str, classes: tuple[int, ...], limit: int) -> NDArray:
    data = disk.read(path, limit)
    if data[:1] in _PICKLES:
        raise refuse_python(path)
    size = len(classes) + FEATURES
    if not data or len(data) % size:
        raise FileError(
            f"{path}: records of {size} bytes are expected, {len(classes)} of them labels, "
            f"got {len(data)} bytes, {len(data) % size} of them after the last whole record; "
            "it is truncated or another version: get it again"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    for column, count in enumerate(classes):
        wrong = records[:, column] >= count
        if wrong.any():
            at = int(wrong.argmax())
            raise FileError(
                f"{path}: labels from 0 to {count - 1} are expected in byte {column} of a record, "
                f"got {records[at, column]} in record {at}; it is another data set or damaged"
            )
    return records
