"""NumPy archives: `meta`, a text, and arrays. A network file has its description in `meta`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from math import prod

import numpy as np

from isoref.files.archive import members
from isoref.files.content import DTYPES, Entry, NDArray
from isoref.files.description import Description, described
from isoref.files.failure import FileError, shown
from isoref.files.strict import LONGEST, parsed, text

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([^']{1,16})', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9, ]{0,80})\), \} *\n"
)


def encoded(description: Description, found: Mapping[str, NDArray]) -> bytes:
    """Return the bytes of a network file: the same for the same network, whenever written."""
    return archived(text(description.members()), found)


def decoded(path: str, data: bytes) -> tuple[Description, dict[str, Entry]]:
    """Return the description in `meta` and the other entries, none copied.

    Raises
    ------
    FileError
        When the archive or one of its entries is damaged or is not as NumPy writes it.
    """
    meta, found = opened(path, data, LONGEST)
    where = f"{path}: meta"
    return described(where, parsed(where, meta)), entries(path, found, DTYPES)


def archived(meta: str, found: Mapping[str, NDArray]) -> bytes:
    """Return the bytes of an archive of `meta` and of C-contiguous arrays, little endian."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {"meta": np.array(meta, f"<U{len(meta)}"), **found}.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # dated 1 January 1980
            info.create_system = 3
            header = _header(array)
            info.file_size = len(header) + array.nbytes
            with archive.open(info, "w") as entry:
                entry.write(header)
                entry.write(array.tobytes())
    return buffer.getvalue()


def opened(path: str, data: bytes, longest: int) -> tuple[str, dict[str, memoryview]]:
    """Return `meta`, of at most `longest` characters, and the bytes of the other entries.

    Raises
    ------
    FileError
        When the archive or `meta` is damaged.
    """
    found = members(path, data)
    if "meta.npy" not in found:
        raise FileError(f"{path}: the entry meta is missing; isoref writes it in all its archives")
    return _meta(f"{path}: meta", found.pop("meta.npy"), longest), found


def entries(
    path: str, found: Mapping[str, memoryview], dtypes: Mapping[str, str]
) -> dict[str, Entry]:
    """Return the arrays of an archive; `dtypes` are the names and spellings that they may have.

    Raises
    ------
    FileError
        When an entry is no array of such a dtype.
    """
    names = {spelled: dtype for dtype, spelled in dtypes.items()}
    return {
        name.removesuffix(".npy"): _entry(path, name, buffer, names)
        for name, buffer in found.items()
    }


def _header(array: NDArray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    )
    return buffer.getvalue()


def _meta(where: str, buffer: memoryview, longest: int) -> str:
    dtype, shape, _, content = _split(where, buffer)
    length = int(dtype[2:]) if re.fullmatch("<U[0-9]{1,9}", dtype) else -1
    if shape != () or length < 0 or len(content) != 4 * length:
        raise FileError(f"{where} must be one text, of dtype <U, got {dtype!r}")
    if length > longest:
        raise FileError(f"{where} must have at most {longest} characters, got {length}")
    try:
        return str(content, "utf-32-le").rstrip("\0")
    except UnicodeDecodeError as error:
        raise FileError(f"{where} must be a text ({error.reason})") from error


def _entry(path: str, name: str, buffer: memoryview, names: Mapping[str, str]) -> Entry:
    where = f"{path}: {shown(name)}"
    if not name.endswith(".npy"):
        raise FileError(f"{where} is not expected; every entry is an array, .npy")
    dtype, shape, fortran, content = _split(where, buffer)
    if dtype not in names:
        known = " or ".join(reversed(list(names.values())))
        raise FileError(
            f"{where} must be {known}, little endian, got dtype {dtype!r}; "
            "Python objects are never read"
        )
    if len(content) != prod(shape) * int(dtype[2:]):
        raise FileError(f"{where} must have the bytes of its shape {shape}, got {len(content)}")
    return Entry(names[dtype], shape, content, "F" if fortran else "C")


def _split(where: str, buffer: memoryview) -> tuple[str, tuple[int, ...], bool, memoryview]:
    """Return dtype, shape and order of an array in NumPy's format, and the bytes after them."""
    length = int.from_bytes(buffer[8:10], "little")
    header = _HEADER.fullmatch(bytes(buffer[10 : 10 + length]))
    if bytes(buffer[:8]) != _MAGIC or header is None:
        raise FileError(f"{where} must begin as numpy.save writes it, in version 1.0 of its format")
    sizes = [size.strip() for size in header[3].split(b",")]
    if sizes and not sizes[-1]:
        sizes.pop()
    if not all(re.fullmatch(b"[0-9]{1,16}", size) for size in sizes):
        raise FileError(f"{where} must have a shape of integers")
    shape = tuple(int(size) for size in sizes)
    return header[1].decode("latin-1"), shape, header[2] == b"True", buffer[10 + length :]
