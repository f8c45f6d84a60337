"""Zip archives from strangers: every entry stored as it is, checked against its checksum.

What is not compressed cannot grow: nothing in such an archive is larger than the archive.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from isoref.files.failure import FileError, shown

MOST_ENTRIES = 20_000

_END = b"PK\x05\x06"
_DIRECTORY = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s22xHH")
_MOST_BETWEEN = 24
"""Most bytes after an entry: its sizes and checksum again."""
_HARMLESS_FLAGS = 0x0808
"""Sizes that follow the data (the directory repeats them), and names in UTF-8."""


def members(path: str, data: bytes) -> dict[str, memoryview]:
    """Return the name and the bytes of every entry, as views of `data`.

    Raises
    ------
    FileError
        When the archive is truncated, something stands before, between or after the entries, or an
        entry is compressed, encrypted, repeated, overlaps another or fails its checksum.
    """
    view = memoryview(data)
    found: dict[str, memoryview] = {}
    end = 0  # of the entries so far
    for info in sorted(_directory(path, data), key=lambda info: info.header_offset):
        name, where = info.orig_filename, f"{path}: {shown(info.orig_filename)}"
        if name in found:
            raise FileError(f"{where} must stand in the archive once")
        if info.flag_bits & ~_HARMLESS_FLAGS:
            raise FileError(f"{where} must not be encrypted or patched")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise FileError(f"{where} must not be compressed; numpy.savez stores, as isoref does")
        start = _start(where, data, info, end)
        end = start + info.file_size
        if end > len(data):
            raise FileError(f"{where} must have {info.file_size} bytes, but the archive ends first")
        found[name] = view[start:end]
        if zlib.crc32(found[name]) != info.CRC:
            raise FileError(f"{where} must have the checksum {info.CRC:08x}; it is damaged")
    if found and _DIRECTORY not in data[end : end + _MOST_BETWEEN + len(_DIRECTORY)]:
        raise FileError(f"{path}: the directory of the archive must follow its last entry")
    return found


def _directory(path: str, data: bytes) -> list[zipfile.ZipInfo]:
    if data[-22:-18] != _END or data[-2:] != b"\0\0":
        raise FileError(
            f"{path}: a complete zip archive is expected; "
            "it is another kind of file, truncated, or something follows it"
        )
    if data.count(_DIRECTORY) > MOST_ENTRIES:
        raise FileError(f"{path}: an archive of at most {MOST_ENTRIES} entries is expected")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.infolist()
    except Exception as error:  # whatever the decoder meets in bytes from strangers
        raise FileError(f"{path}: a sound zip archive is expected ({error})") from error


def _start(where: str, data: bytes, info: zipfile.ZipInfo, end: int) -> int:
    """Return where the bytes of an entry begin, after a local header that agrees on the name."""
    offset = info.header_offset
    if not end <= offset <= end + (_MOST_BETWEEN if end else 0):
        raise FileError(f"{where} must begin at byte {end} of the archive, got {offset}")
    if offset + _LOCAL.size > len(data):
        raise FileError(f"{where} must lie within the archive")
    signature, name_length, extra_length = _LOCAL.unpack_from(data, offset)
    name = data[offset + _LOCAL.size : offset + _LOCAL.size + name_length]
    expected = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    if signature != b"PK\x03\x04" or name != expected:
        raise FileError(f"{where} must have a header of that name where the directory says")
    return offset + _LOCAL.size + int(name_length) + int(extra_length)
