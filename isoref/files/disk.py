"""Whole files in and out: bounded reading, and writing that leaves the old file or the new one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from isoref.files.failure import FileError

_ADVICE = {
    errno.ENOENT: "check the path and that its directory exists",
    errno.EACCES: "change the permissions or choose another path",
    errno.EPERM: "change the permissions or choose another path",
    errno.EROFS: "choose a path on a file system that can be written",
    errno.EISDIR: "add the name of a file",
    errno.ENOSPC: "free some space or choose another path",
    errno.EDQUOT: "free some space or choose another path",
}


def spelled(path: Any) -> str:
    """Return `path` as text.

    Raises
    ------
    TypeError
        When it is neither text nor path-like.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(f"path must be a string or a path, got {type(path).__name__}")
    return os.fsdecode(path)


def read(path: str, limit: int) -> bytes:
    """Return the bytes of the file at `path`; nothing is read if it has more than `limit`.

    Raises
    ------
    OSError
        When it cannot be opened or read; the type is the system's, for example FileNotFoundError.
    FileError
        When it is no regular file, is larger than `limit`, or changes while it is read.
    """
    with _explained(path, "read"), open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        _check_regular(path, status)
        size = status.st_size
        if size > limit:
            raise FileError(
                f"{path}: a file of at most {limit} bytes is expected, got {size}; "
                "pass a larger limit if you trust it"
            )
        data = file.read(size + 1)
    if len(data) != size:
        raise FileError(f"{path}: {size} bytes are expected, got {len(data)}; read it again")
    return data


def write(path: str, data: bytes) -> None:
    """Make `data` the content of the file at `path`, in one step.

    The bytes go to a new file in the same directory, reach the disk, and then take the name. When
    anything fails or interrupts, the new file is removed and the old one is as it was. A symbolic
    link stays a link, and the permissions of an old file are kept.

    Raises
    ------
    OSError
        When the file cannot be written; the type is the system's, for example PermissionError.
    FileError
        When `path` is something else than a regular file, for example a device.
    """
    with _explained(path, "write"):
        target = os.path.realpath(path)
        directory = os.path.dirname(target)
        old = _replaceable(path, target)
        temporary = os.path.join(directory, f".isoref-{secrets.token_hex(8)}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if old is not None:
                os.chmod(temporary, stat.S_IMODE(old.st_mode))
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _settle(directory)


def _replaceable(path: str, target: str) -> os.stat_result | None:
    """Return what stands at `target`, None if nothing does; raise if it may not be replaced."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return None
    _check_regular(path, old)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return old


def _without_waiting(path: str, flags: int) -> int:
    """Open a path; a pipe that nobody writes to is not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_regular(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{path}: a regular file is expected, got a device, pipe or socket")


def _settle(directory: str) -> None:
    """Bring the new name to the disk, where directories can be opened."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _explained(path: str, verb: str) -> Iterator[None]:
    """Say in every error of the system which path it was and what to do; its type stays."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "choose another path")
        reason = f"cannot {verb} the file: {error.strerror or error}; {advice}"
        raise type(error)(error.errno or errno.EIO, reason, path) from error
    except ValueError as error:
        raise FileError(f"{path!r}: the path of a file is expected ({error})") from error
