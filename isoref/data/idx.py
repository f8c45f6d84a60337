"""IDX files, the format of MNIST and its relatives: sizes, then unsigned bytes.

    0  0  type  axes      type 8 is unsigned bytes; 3 axes are images, 1 axis is labels
    size of every axis    4 bytes each, most significant first
    the array             the last axis fastest

Whether a file is compressed by gzip is seen in its first bytes: names lose and gain their .gz.
"""

from __future__ import annotations

import os
import zlib
from math import prod
from typing import Any, Protocol

import numpy as np

from isoref.files import disk
from isoref.files.failure import FileError

NDArray = np.ndarray[Any, Any]

LIMIT = 2**28
"""Most bytes of a data file, before and after decompression, unless a `limit` is given."""

_STEP = 2**16
_AXES = {1: "labels", 3: "images"}
_TYPES = {
    0x08: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}


def read_images(path: str | os.PathLike[str], *, limit: int = LIMIT) -> NDArray:
    """Return the images of an IDX file, plain or compressed, as uint8 (N, rows, columns).

    No more is decompressed than the sizes in its header say, and nothing if they exceed `limit`.

    Raises
    ------
    FileError
        A ValueError, when the file is no such file, damaged, truncated, followed by something or
        larger than `limit`.
    OSError
        When the file cannot be read: FileNotFoundError, PermissionError, IsADirectoryError …

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "images")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, *range(6)]))
    ...     read_images(path)
    array([[[0, 1, 2],
            [3, 4, 5]]], dtype=uint8)
    """
    return _array(disk.spelled(path), 3, limit)


def read_labels(path: str | os.PathLike[str], *, limit: int = LIMIT) -> NDArray:
    """Return the labels of an IDX file, plain or compressed, as uint8 (N,).

    Raises
    ------
    FileError, OSError
        As `read_images`.
    """
    return _array(disk.spelled(path), 1, limit)


def read_samples(
    images: str,
    labels: str,
    *,
    classes: int,
    first: int = 0,
    transposed: bool = False,
    limit: int = LIMIT,
) -> tuple[NDArray, NDArray]:
    """Return 28 x 28 images as uint8 (N, 784), row by row, and labels as int64 (N,) from 0.

    Parameters
    ----------
    images, labels : str
        Paths.
    classes, first : int
        The labels of the file are first … first + classes - 1.
    transposed : bool
        True when the file has the images column by column, as EMNIST has.
    limit : int
        Most bytes of a file, before and after decompression.

    Raises
    ------
    FileError
        As `read_images`, and when the files do not fit each other or a label is out of range.
    OSError
        As `read_images`.
    """
    found = read_labels(labels, limit=limit).astype(np.int64) - first
    wrong = (found < 0) | (found >= classes)
    if wrong.any():
        at = int(wrong.argmax())
        raise FileError(
            f"{labels}: labels from {first} to {first + classes - 1} are expected, "
            f"got {found[at] + first} at sample {at}; it is another data set or damaged"
        )
    x = _array(images, 3, limit, (len(found), 28, 28))
    if transposed:
        x = x.transpose(0, 2, 1)
    return x.reshape(len(x), -1), found


class _Source(Protocol):
    def take(self, count: int) -> bytearray: ...
    def more(self) -> bool: ...


class _Plain:
    def __init__(self, data: bytes) -> None:
        self.rest = memoryview(data)

    def take(self, count: int) -> bytearray:
        """Return the next `count` bytes, fewer at the end."""
        found, self.rest = self.rest[:count], self.rest[count:]
        return bytearray(found)

    def more(self) -> bool:
        return len(self.rest) > 0


class _Compressed:
    """The content of a gzip file; its checksum is compared when the end is reached."""

    def __init__(self, data: bytes) -> None:
        self.machine = zlib.decompressobj(wbits=31)  # with the header and the trailer of gzip
        self.rest = memoryview(data)
        self.fed: bytes | memoryview = b""

    def take(self, count: int) -> bytearray:
        """Return the next `count` bytes, fewer at the end; no more is decompressed."""
        found = bytearray()
        while len(found) < count and not self.machine.eof and (self.fed or self.rest):
            if not self.fed:  # in small pieces, since zlib copies what it has not used
                self.fed, self.rest = self.rest[:_STEP], self.rest[_STEP:]
            found += self.machine.decompress(self.fed, min(_STEP, count - len(found)))
            self.fed = self.machine.unconsumed_tail
        return found

    def more(self) -> bool:
        if self.take(1):
            return True
        if not self.machine.eof:
            raise zlib.error("it ends before its checksum")
        return bool(self.machine.unused_data or self.rest)


def _array(path: str, axes: int, limit: int, wanted: tuple[int, ...] | None = None) -> NDArray:
    data = disk.read(path, limit)
    source: _Source = _Compressed(data) if data[:2] == b"\x1f\x8b" else _Plain(data)
    try:
        sizes = _sizes(path, source, axes)
        if wanted not in (None, sizes):
            raise FileError(
                f"{path}: {_spelled(wanted)} bytes are expected, one image a label, "
                f"got {_spelled(sizes)}; take images and labels of the same data set"
            )
        total = prod(sizes)
        if total > limit:
            raise FileError(
                f"{path}: at most {limit} bytes are expected, its header says {_spelled(sizes)}; "
                "pass a larger limit if you trust it"
            )
        found = source.take(total)
        if len(found) < total or source.more():
            came = "more" if len(found) == total else f"{len(found)}: it is truncated"
            raise FileError(
                f"{path}: {_spelled(sizes)} = {total} bytes are expected after the header, "
                f"got {came}; get the file again"
            )
    except zlib.error as error:
        raise FileError(f"{path}: a sound gzip file is expected ({error}); get it again") from error
    return np.frombuffer(found, np.uint8).reshape(sizes)


def _sizes(path: str, source: _Source, axes: int) -> tuple[int, ...]:
    """Return the sizes in the header of a file of unsigned bytes with so many axes."""
    magic = source.take(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise FileError(
            f"{path}: an IDX file is expected, which begins with the bytes 00 00 08 0{axes}, "
            f"got {magic.hex(' ') or 'none'}; it is another kind of file or truncated"
        )
    if magic[2] != 0x08:
        name = _TYPES.get(magic[2], "an unknown type")
        raise FileError(
            f"{path}: unsigned bytes (type 0x08) are expected, got {name} (type 0x{magic[2]:02x}); "
            "convert it or take the original file"
        )
    if magic[3] != axes:
        other = f", {_AXES[magic[3]]}" if magic[3] in _AXES else ""
        raise FileError(
            f"{path}: {_AXES[axes]} are expected, axes: {axes}, got axes: {magic[3]}{other}; "
            "check which file has this name"
        )
    coded = source.take(4 * axes)
    sizes = tuple(int.from_bytes(coded[k : k + 4], "big") for k in range(0, len(coded), 4))
    if len(coded) < 4 * axes or 0 in sizes:
        raise FileError(
            f"{path}: {axes} positive sizes of 4 bytes are expected in the header, "
            f"got {coded.hex(' ', 4) or 'none'}; get the file again"
        )
    return sizes


def _spelled(sizes: tuple[int, ...] | None) -> str:
    return " x ".join(map(str, sizes or ()))
